#!/bin/sh
# mount-bucket NAME REMOTE: mounts a remote of rclone's at /buckets/NAME, which the host shares.
# What was written and not yet stored is in /cache, a volume: the next start goes on with it.
set -eu
# A mount that a killed container left is dead, and in the way.
fusermount3 -uz "/buckets/$1" 2>/dev/null || umount -l "/buckets/$1" 2>/dev/null || true
mkdir -p "/buckets/$1"
exec rclone mount "$2" "/buckets/$1" --allow-other --allow-non-empty --uid "${OWNER_UID:-1000}" \
    --gid "${OWNER_GID:-100}" --umask 022 --vfs-cache-mode writes --vfs-write-back 2s \
    --dir-cache-time 1m --cache-dir /cache --log-level NOTICE
