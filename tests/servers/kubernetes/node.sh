#!/bin/bash
# The first process of the node's own network, mount, process and host-name namespaces.
# Its end is the end of all that it started.
set -u
trap : CHLD
mount --make-rshared /
hostname "$NODE"
ip link set lo up
for _ in $(seq 100); do ip link show "$DEVICE" >/dev/null 2>&1 && break; sleep 0.1; done
ip addr add "$ADDRESS/24" dev "$DEVICE"
ip link set "$DEVICE" up
ip route add default via "$GATEWAY"
sysctl -qw net.ipv4.ip_forward=1

run() { local name=$1; shift; "$@" >"$RUN/logs/$name.log" 2>&1 & }
kubectl() { "$PROGRAMS/kubectl" --kubeconfig "$RUN/pki/admin.conf" "$@"; }
ctr() { command ctr -a "$RUN/containerd.sock" -n k8s.io "$@"; }

run containerd containerd -c "$RUN/conf/containerd.toml"
run etcd etcd --data-dir "$RUN/etcd" --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
    --unsafe-no-fsync
run apiserver "$PROGRAMS/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --service-cluster-ip-range="$SERVICES" --allow-privileged \
    --tls-cert-file="$RUN/pki/apiserver.crt" --tls-private-key-file="$RUN/pki/apiserver.key" \
    --client-ca-file="$RUN/pki/ca.crt" \
    --service-account-key-file="$RUN/pki/accounts.pub" \
    --service-account-signing-key-file="$RUN/pki/accounts.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --bind-address=0.0.0.0 --advertise-address="$ADDRESS" \
    --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$RUN/pki/kubelet-client.crt" \
    --kubelet-client-key="$RUN/pki/kubelet-client.key"
until kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done
run controllers "$PROGRAMS/kube-controller-manager" --leader-elect=false \
    --kubeconfig="$RUN/pki/system-kube-controller-manager.conf" \
    --service-account-private-key-file="$RUN/pki/accounts.key" \
    --root-ca-file="$RUN/pki/ca.crt" --use-service-account-credentials
run scheduler "$PROGRAMS/kube-scheduler" --leader-elect=false \
    --kubeconfig="$RUN/pki/system-kube-scheduler.conf"
# Images are kept from one node to the next; what ran on the last one isn't.
until ctr version >/dev/null 2>&1; do sleep 0.1; done
ctr containers ls -q | xargs -r "$(type -P ctr)" -a "$RUN/containerd.sock" -n k8s.io containers rm
for image in coredns pause; do
    ctr images ls -q | grep -q "local/$image:1" || ctr images import "$PROGRAMS/$image.tar"
done
run kubelet "$PROGRAMS/kubelet" --config="$RUN/conf/kubelet.yaml" --root-dir="$RUN/kubelet" \
    --kubeconfig="$RUN/pki/system-node-$NODE.conf" --cert-dir="$RUN/kubelet/pki" \
    --hostname-override="$NODE" --node-ip="$ADDRESS"
run proxy "$PROGRAMS/kube-proxy" --config="$RUN/conf/proxy.yaml" --hostname-override="$NODE"
while :; do sleep 3600 & wait $!; done
