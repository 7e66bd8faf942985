#!/bin/sh
# A mounted home hides the one of the image: an empty one gets the skeleton.
[ -e "$HOME/.profile" ] || cp -rn /etc/skel/. "$HOME/" 2>/dev/null
exec "$@"
