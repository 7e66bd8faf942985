#!/bin/bash
# Makes this machine what /etc/pulumi-jupyterhub/desired.conf says: accounts, disks, Docker or k3s.
# cloud-init runs it first, every boot and every change of the settings run it again: each step
# looks first and changes only what differs. Users' data is never formatted, moved or deleted.
set -euo pipefail

home=/etc/pulumi-jupyterhub
run=/run/pulumi-jupyterhub
mkdir -p "$home" "$run"
exec 9>"$run/lock"
flock 9
rm -f "$run/ready"
# shellcheck source=/dev/null
. "$home/desired.conf"

step() {
    echo "$(cut -d. -f1 /proc/uptime) s: $*" | tee -a "$run/steps"
}

stop() {
    step "stopped: $*"
    echo "$*" >"$run/problem"
    exit 1
}

# Writes standard input to a file; true when that changed it.
put() {
    local new
    new=$(mktemp)
    cat >"$new"
    if cmp -s "$new" "$1"; then
        rm "$new"
        return 1
    fi
    mkdir -p "$(dirname "$1")"
    install -m "${2:-644}" "$new" "$1"
    rm "$new"
}

# --- packages ---------------------------------------------------------------------------------

install_packages() {
    if command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        local apt=(apt-get -y -o DPkg::Lock::Timeout=600)
        "${apt[@]}" update || step "apt-get update failed: going on with what is known"
        "${apt[@]}" install --no-install-recommends "$@"
    else
        dnf -y install "$@"
    fi
}

# The distribution's engine: it gets security updates with everything else.
debian_docker() {
    command -v dockerd >/dev/null || wanted+=(docker.io iptables ca-certificates)
    # Newer distributions have the client in a package of its own.
    if apt-cache show docker-cli >/dev/null 2>&1; then wanted+=(docker-cli); fi
}

packages() {
    local wanted=(nftables xfsprogs)
    [ "$ENGINE" != k3s ] || wanted+=(iptables ca-certificates curl)
    # Pods mount NFS by what their node has.
    [ -z "$NFS_MOUNTS" ] && [ "$ENGINE" != k3s ] || wanted+=("$(command -v apt-get >/dev/null && echo nfs-common || echo nfs-utils)")
    if command -v apt-get >/dev/null; then
        [ "$ENGINE" != docker ] || debian_docker
        wanted+=(apparmor) # only recommended by docker.io, which starts no container without it
        [ "$UPDATES" = no ] || wanted+=(unattended-upgrades)
    elif [ "$ENGINE" = docker ] && ! command -v dockerd >/dev/null; then
        # AlmaLinux and Rocky have no Docker of their own.
        dnf -y install dnf-plugins-core
        dnf config-manager --add-repo https://download.docker.com/linux/rhel/docker-ce.repo
        wanted+=(docker-ce docker-ce-cli containerd.io)
        [ "$UPDATES" = no ] || wanted+=(dnf-automatic)
    fi
    local missing=() name
    for name in "${wanted[@]}"; do
        dpkg -s "$name" >/dev/null 2>&1 || rpm -q "$name" >/dev/null 2>&1 || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] && return
    step "packages: ${missing[*]}"
    for try in 1 2 3; do
        install_packages "${missing[@]}" && return
        [ $try = 3 ] || sleep 20
    done
    stop "packages could not be installed: ${missing[*]}. Does the machine reach its package mirror?"
}

# --- accounts ---------------------------------------------------------------------------------

account() {
    if ! id "$LOGIN" >/dev/null 2>&1; then
        useradd --create-home --shell /bin/bash "$LOGIN"
        echo "$LOGIN ALL=(ALL) NOPASSWD:ALL" | put /etc/sudoers.d/90-pulumi-jupyterhub 440 || true
    fi
    if [ "$LOGIN" != root ] && [ "$ENGINE" = docker ]; then
        getent group docker >/dev/null || groupadd --system docker
        usermod -aG docker "$LOGIN"
    fi
    local folder begin='# pulumi-jupyterhub' end='# end of pulumi-jupyterhub'
    folder=$(getent passwd "$LOGIN" | cut -d: -f6)/.ssh
    install -d -m 700 -o "$LOGIN" -g "$(id -gn "$LOGIN")" "$folder"
    local new keys=$folder/authorized_keys
    touch "$keys"
    new=$(mktemp "$folder/.keys.XXXXXX")
    {
        sed "/^$begin\$/,/^$end\$/d" "$keys"
        printf '%s\n' "$begin" "$AUTHORIZED_KEYS" "$end"
    } >"$new"
    chown --reference="$folder" "$new"
    mv "$new" "$keys" # at once: nobody is locked out in between
    # Each Docker call over ssh is a session.
    if printf 'MaxSessions 100\nMaxStartups 100:30:200\n' |
        put /etc/ssh/sshd_config.d/50-pulumi-jupyterhub.conf; then
        systemctl reload ssh 2>/dev/null || systemctl reload sshd
    fi
}

# --- disks ------------------------------------------------------------------------------------

wait_for() {
    local waited=0
    until [ -e "$1" ]; do
        [ $waited -lt "$DISK_WITHIN" ] || return 1
        [ $((waited % 30)) != 0 ] || step "waiting for the disk $1"
        sleep 2
        waited=$((waited + 2))
        udevadm trigger --subsystem-match=block --action=add || true
    done
}

# Formats a blank disk, and nothing else: whatever is on it stays.
format_if_blank() {
    local found
    if found=$(blkid -p -o value -s TYPE "$1"); then
        step "disk $1 has a file system ($found): used as it is"
    elif [ -n "$(blkid -p "$1" 2>/dev/null)" ] || ! cmp -s -n 1048576 "$1" /dev/zero; then
        stop "disk $1 is not blank and has no file system that is known here; nothing was touched"
    else
        step "disk $1 is blank: formatting"
        mkfs.xfs -q -L "$2" "$1"
        udevadm settle
    fi
}

mount_disk() { # path device label
    local device name options=nodev,nosuid,nofail,x-systemd.device-timeout=300
    wait_for "$2" || stop "the disk $2 is not attached; without it nothing starts on an empty folder"
    device=$(readlink -f "$2")
    mountpoint -q "$1" || format_if_blank "$device" "$3"
    [ "$(blkid -o value -s TYPE "$device")" != xfs ] || options+=,prjquota
    if [ "$(blkid -o value -s LABEL "$device")" = "$3" ]; then
        name="LABEL=$3"
    else
        name="UUID=$(blkid -o value -s UUID "$device")"
    fi
    fstab "$1" "$name $1 auto $options 0 2"
    mkdir -p "$1"
    mountpoint -q "$1" || mount "$1"
    [ "$(findmnt -no SOURCE "$1")" = "$device" ] || stop "$1 has another disk than $2 on it"
    case $(findmnt -no FSTYPE "$1") in # grows in place, when the disk has grown
        xfs) xfs_growfs "$1" >/dev/null ;;
        ext4) resize2fs "$device" >/dev/null 2>&1 ;;
    esac
}

fstab() { # path line
    {
        grep -v "^[^#][^ ]* $1 " /etc/fstab || true
        echo "$2"
    } | put /etc/fstab || return 0
    systemctl daemon-reload
}

mount_nfs() { # path source type options
    fstab "$1" "$2 $1 $3 $4,_netdev,nofail 0 0"
    mkdir -p "$1"
    mountpoint -q "$1" || mount "$1" || stop "$2 can't be mounted at $1"
}

disks() {
    local path device label source type options
    while read -r path device label; do
        [ -z "$path" ] || mount_disk "$path" "$device" "$label"
    done <<<"$DISKS"
    while read -r path source type options; do
        [ -z "$path" ] || mount_nfs "$path" "$source" "$type" "$options"
    done <<<"$NFS_MOUNTS"
    # shellcheck disable=SC2086  # a list of paths without blanks
    mkdir -p $FOLDERS
}

# --- Docker -----------------------------------------------------------------------------------

uplink_mtu() {
    local device
    device=$(ip -o route get 192.0.2.1 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    cat "/sys/class/net/${device:-lo}/mtu"
}

mounts() {
    awk 'NF {printf " %s", $1}' <<<"$DISKS
$NFS_MOUNTS"
}

engine() {
    local mtu changed=no
    # After a reboot nothing runs before its data is there.
    printf '[Unit]\nRequiresMountsFor=%s\n' "$(mounts)" |
        put /etc/systemd/system/docker.service.d/pulumi-jupyterhub.conf && systemctl daemon-reload
    mtu=$(uplink_mtu)
    [ "$mtu" -le 1500 ] || mtu=1500
    put /etc/docker/daemon.json <<CONF && changed=yes
{
  "live-restore": true,
  "log-driver": "json-file",
  "log-opts": {"max-size": "10m", "max-file": "3"},
  "mtu": $mtu,
  "default-address-pools": [{"base": "$ADDRESS_POOL", "size": 24}]$RUNTIMES
}
CONF
    systemctl enable --quiet docker
    if ! systemctl is-active --quiet docker; then
        systemctl start docker || stop "Docker does not start: journalctl -u docker"
    elif [ $changed = yes ]; then
        step "restarting Docker with its new settings; containers go on"
        systemctl restart docker
    fi
}

# --- k3s ----------------------------------------------------------------------------------------

# The vendor's binary, as its release's checksum says.
k3s_binary() {
    local arch=amd64 name=k3s from=$K3S_RELEASES/${K3S_VERSION//+/%2B} new file
    [ "$(uname -m)" = x86_64 ] || { arch=arm64 && name=k3s-arm64; }
    [ "$(k3s --version 2>/dev/null | awk 'NR == 1 {print $3}')" != "$K3S_VERSION" ] || return 0
    step "k3s $K3S_VERSION"
    new=$(mktemp -d)
    for file in "sha256sum-$arch.txt" "$name"; do
        curl -fsSL --retry 5 -o "$new/$file" "$from/$file" ||
            stop "$file of k3s $K3S_VERSION can't be had from $K3S_RELEASES: is there this version, and a way there?"
    done
    (cd "$new" && grep " $name\$" "sha256sum-$arch.txt" | sha256sum --status -c -) ||
        stop "k3s $K3S_VERSION is not what its release's checksum says; nothing was installed"
    install -m 755 "$new/$name" /usr/local/bin/k3s
    rm -r "$new"
}

# What outlives this machine is on its data disk, bound to where k3s looks for it.
k3s_keep() { # folder path
    mkdir -p "$K3S_DATA/$1" "$2"
    fstab "$2" "$K3S_DATA/$1 $2 none bind,nofail,x-systemd.requires-mounts-for=$K3S_DATA 0 0"
    mountpoint -q "$2" && return
    ! k3s_runs || stop "k3s runs beside its data, for $2 is not mounted. There: sudo systemctl stop k3s. Then: make up"
    mount --bind "$K3S_DATA/$1" "$2"
}

k3s_state() {
    k3s_keep k3s/server /var/lib/rancher/k3s/server
    k3s_keep k3s/node /etc/rancher/node
    k3s_keep claims /var/lib/rancher/k3s/storage
    if [ -e /etc/rancher/k3s/manifest.yaml ]; then # k3s makes what is in there
        put /var/lib/rancher/k3s/server/manifests/pulumi-jupyterhub.yaml 600 </etc/rancher/k3s/manifest.yaml || true
    fi
    local db=$K3S_DATA/k3s/server/db known=$K3S_DATA/k3s/address own
    own=$(sed -n 's/^node-ip: *//p' /etc/rancher/k3s/config.yaml)
    [ -n "$own" ] || own=$(ip -o route get 192.0.2.1 | sed -n 's/.* src \([^ ]*\).*/\1/p')
    # etcd knows its members by their addresses.
    if [ -d "$db/etcd" ] && [ -s "$known" ] && [ "$(cat "$known")" != "$own" ]; then
        [ "$K3S_SERVERS" = 1 ] || [ -e "$db/reset-flag" ] ||
            stop "this server was $(cat "$known") and is $own now, which etcd refuses: docs/kubernetes.md says what to do"
        step "the address changed from $(cat "$known") to $own: telling the cluster's state"
        [ -e "$db/reset-flag" ] || k3s server --cluster-reset ||
            stop "the cluster's state in $db could not be taken over; it is still there"
    fi
    echo "$own" >"$known"
}

k3s_runs() {
    case $(systemctl is-active k3s) in active | activating | reloading) ;; *) return 1 ;; esac
}

k3s_answers() {
    systemctl is-active --quiet k3s || return 1
    [ "$K3S_ROLE" = agent ] || k3s kubectl get --raw /readyz >/dev/null 2>&1
}

# What it was last started with.
k3s_sums() {
    echo "$FILES"
    sha256sum /usr/local/bin/k3s /etc/systemd/system/k3s.service
}

k3s_node() {
    k3s_binary
    if [ -z "${FILES:-}" ]; then
        step "k3s is installed; what it joins the cluster by comes over ssh"
        exit 0
    fi
    put /etc/systemd/system/k3s.service <<UNIT && systemctl daemon-reload
[Unit]
Description=k3s, a node of the JupyterHub's cluster
Wants=network-online.target
After=network-online.target
RequiresMountsFor=$(mounts)$([ "$K3S_ROLE" = agent ] || echo " /var/lib/rancher/k3s/server /etc/rancher/node /var/lib/rancher/k3s/storage")
[Service]
Type=notify
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s $K3S_ROLE
[Install]
WantedBy=multi-user.target
UNIT
    # Pods go on while k3s restarts.
    if ! k3s_runs || ! k3s_sums | cmp -s - "$home/k3s.sums"; then
        step "starting k3s"
        systemctl stop k3s 2>/dev/null || true
        [ "$K3S_ROLE" = agent ] || k3s_state
        systemctl enable --quiet k3s
        systemctl start --no-block k3s
    fi
    local waited=0
    until k3s_answers; do
        [ $waited -lt "$K3S_WITHIN" ] || stop "k3s does not answer within $K3S_WITHIN s: journalctl -u k3s"
        sleep 2
        waited=$((waited + 2))
    done
    k3s_sums | put "$home/k3s.sums" || true
}

# A container has no business with the cloud's metadata; names are looked up there on some clouds.
# Nor has one of ours with NFS, whose server lets in whoever speaks from this machine.
metadata() {
    put /etc/pulumi-jupyterhub/metadata.nft <<'RULES' || true
table inet jh_metadata
delete table inet jh_metadata
table inet jh_metadata {
    chain forward {
        type filter hook forward priority -10; policy accept;
        ip daddr 169.254.169.254 meta l4proto { tcp, udp } th dport 53 accept
        ip daddr 169.254.0.0/16 drop
        ip6 daddr { fd00:ec2::254, fe80::a9fe:a9fe } drop
        iifname "jh-*" meta l4proto { tcp, udp } th dport 2049 drop
    }
}
RULES
    put /etc/systemd/system/jupyterhub-metadata.service <<'UNIT' && systemctl daemon-reload
[Unit]
Description=Keep containers from the metadata service
Before=docker.service k3s.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'exec nft -f /etc/pulumi-jupyterhub/metadata.nft'
[Install]
WantedBy=multi-user.target
UNIT
    systemctl enable --quiet jupyterhub-metadata
    nft -f /etc/pulumi-jupyterhub/metadata.nft
}

updates() {
    [ "$UPDATES" = yes ] || return 0
    if command -v apt-get >/dev/null; then
        # An update of the engine by itself has left hubs stopped; it comes with a rebuild.
        printf '%s\n' 'APT::Periodic::Update-Package-Lists "1";' \
            'APT::Periodic::Unattended-Upgrade "1";' \
            'Unattended-Upgrade::Package-Blacklist { "docker"; "containerd"; "runc"; };' |
            put /etc/apt/apt.conf.d/52pulumi-jupyterhub || true
    else
        grep -q '^exclude=.*docker-ce' /etc/dnf/dnf.conf ||
            echo 'exclude=docker-ce* containerd.io' >>/etc/dnf/dnf.conf
        sed -i 's/^apply_updates = .*/apply_updates = yes/' /etc/dnf/automatic.conf
        systemctl enable --now --quiet dnf-automatic.timer
    fi
}

# --- on request -------------------------------------------------------------------------------

gpu() {
    [ "$GPU_DRIVER" = yes ] || return 0
    if ! command -v nvidia-smi >/dev/null; then
        step "NVIDIA's driver"
        if command -v ubuntu-drivers >/dev/null || apt-get -y install ubuntu-drivers-common; then
            ubuntu-drivers install --gpgpu
        else
            sed -i 's/^Components: main$/Components: main contrib non-free non-free-firmware/' \
                /etc/apt/sources.list.d/*.sources
            install_packages nvidia-driver
        fi
    fi
    if ! command -v nvidia-ctk >/dev/null; then
        local key=/usr/share/keyrings/nvidia-container-toolkit.gpg url=https://nvidia.github.io/libnvidia-container
        install_packages curl gpg
        curl -fsSL $url/gpgkey | gpg --dearmor -o $key
        echo "deb [signed-by=$key] $url/stable/deb/\$(ARCH) /" |
            put /etc/apt/sources.list.d/nvidia-container-toolkit.list || true
        install_packages nvidia-container-toolkit
    fi
    RUNTIMES=', "runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}'
}

cvmfs() {
    [ -n "$CVMFS" ] || return 0
    local repo=https://cvmrepo.s3.cern.ch/cvmrepo
    if ! command -v cvmfs_config >/dev/null; then
        step "CVMFS"
        if command -v apt-get >/dev/null; then
            install_packages curl
            curl -fsSLo "$run/cvmfs.deb" $repo/apt/cvmfs-release-latest_all.deb
            dpkg -i "$run/cvmfs.deb"
        else
            dnf -y install $repo/yum/cvmfs-release-latest.noarch.rpm
        fi
        install_packages cvmfs
    fi
    if printf 'CVMFS_REPOSITORIES=%s\nCVMFS_CLIENT_PROFILE=single\nCVMFS_HTTP_PROXY=DIRECT\n' "$CVMFS" |
        put /etc/cvmfs/default.local; then
        cvmfs_config setup
        cvmfs_config reload
    fi
}

# --- all of it --------------------------------------------------------------------------------

at_boot() {
    put /etc/systemd/system/jupyterhub-converge.service <<'UNIT' || return 0
[Unit]
Description=Disks, containers and accounts of the JupyterHub
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStart=/bin/bash /etc/pulumi-jupyterhub/converge.sh
[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    systemctl enable --quiet jupyterhub-converge
}

rm -f "$run/problem"
RUNTIMES=
: "${ENGINE:=docker}"
step "converging"
account
at_boot
packages
metadata
disks
gpu
[ "$ENGINE" != docker ] || engine
updates
cvmfs
if [ "$ENGINE" = k3s ]; then
    k3s_node
else
    docker version >/dev/null || stop "Docker does not answer"
fi
sha256sum "$home/desired.conf" "$home/converge.sh" | cut -d' ' -f1 >"$run/ready"
step "ready"
