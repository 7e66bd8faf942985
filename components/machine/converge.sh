#!/bin/bash
# Makes this machine what /etc/pulumi-jupyterhub/desired.conf says: disks, Docker, accounts.
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

packages() {
    local wanted=(nftables xfsprogs)
    [ -z "$NFS_MOUNTS" ] || wanted+=("$(command -v apt-get >/dev/null && echo nfs-common || echo nfs-utils)")
    if command -v apt-get >/dev/null; then
        # The distribution's engine: it gets security updates with everything else.
        command -v dockerd >/dev/null || wanted+=(docker.io iptables ca-certificates)
        wanted+=(apparmor) # only recommended by docker.io, which starts no container without it
        # Newer distributions have the client in a package of its own.
        if apt-cache show docker-cli >/dev/null 2>&1; then wanted+=(docker-cli); fi
        [ "$UPDATES" = no ] || wanted+=(unattended-upgrades)
    elif ! command -v dockerd >/dev/null; then
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
    if [ "$LOGIN" != root ]; then
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

engine() {
    local mounts mtu changed=no
    mounts=$(awk 'NF {printf " %s", $1}' <<<"$DISKS
$NFS_MOUNTS")
    # After a reboot nothing runs before its data is there.
    printf '[Unit]\nRequiresMountsFor=%s\n' "$mounts" |
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

# A container has no business with the cloud's metadata; names are looked up there on some clouds.
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
    }
}
RULES
    put /etc/systemd/system/jupyterhub-metadata.service <<'UNIT' && systemctl daemon-reload
[Unit]
Description=Keep containers from the metadata service
Before=docker.service
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
Description=Disks, Docker and accounts of the JupyterHub
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
step "converging"
account
at_boot
packages
metadata
disks
gpu
engine
updates
cvmfs
docker version >/dev/null || stop "Docker does not answer"
sha256sum "$home/desired.conf" "$home/converge.sh" | cut -d' ' -f1 >"$run/ready"
step "ready"
