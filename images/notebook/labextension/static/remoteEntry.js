// Shows what the server says about its end (culling.py), and tells it that somebody is here.
// Written by hand in the form in which JupyterLab loads extensions, so nothing has to be built.
(() => {
  const NAME = "culling-warning";
  const GO_ON = `${NAME}:go-on`;
  const AFTER_ERROR = 60; // seconds

  function xsrf() {
    const found = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
    return found ? { "X-XSRFToken": found[1] } : {};
  }

  function activate(app) {
    const { baseUrl, token } = app.serviceManager.serverSettings;
    const login = token ? { Authorization: `token ${token}` } : {};
    let isUsed = true; // since the last question; who opens the page uses it
    let isAsking = false;
    let timer = null;
    let shown = null; // the notification's id

    async function answer() {
      const method = isUsed ? "POST" : "GET";
      isUsed = false;
      const headers = { ...login, ...xsrf() };
      const response = await fetch(`${baseUrl}api/culling`, { method, headers });
      return response.ok ? response.json() : { message: null, again: AFTER_ERROR };
    }

    async function show({ message, extends: canGoOn }) {
      if (!message) {
        if (shown) await app.commands.execute("apputils:dismiss-notification", { id: shown });
        shown = null;
        return;
      }
      const actions = canGoOn ? [{ label: "Keep working", commandId: GO_ON, displayType: "accent" }] : [];
      const what = { message, type: "warning", options: { autoClose: false, actions } };
      if (shown) await app.commands.execute("apputils:update-notification", { id: shown, ...what });
      else shown = await app.commands.execute("apputils:notify", what);
    }

    async function ask() {
      if (isAsking) return;
      isAsking = true;
      clearTimeout(timer);
      let again = AFTER_ERROR;
      try {
        const told = await answer();
        again = told.again;
        await show(told);
      } catch (error) {
        console.warn(NAME, error); // the server is away; JupyterLab says so itself
      }
      isAsking = false;
      if (again !== null) timer = setTimeout(ask, again * 1000);
    }

    function use() {
      isUsed = true;
      if (shown) ask();
    }

    app.commands.addCommand(GO_ON, { label: "Keep working", execute: use });
    for (const event of ["keydown", "pointerdown", "wheel"]) {
      document.addEventListener(event, use, { capture: true, passive: true });
    }
    app.started.then(ask);
  }

  const plugin = { id: `${NAME}:plugin`, autoStart: true, activate };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init: () => {},
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
