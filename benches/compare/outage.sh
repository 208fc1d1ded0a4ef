#!/usr/bin/env bash
# The outage recovery of the operations document as it stands there, without waits. $KUBECTL is kubectl with its context
# and namespace, $HEALTH a file with one health check's URL a line (`make health`).
kubectl() { $KUBECTL "$@"; }

# 1. The scope of the outage.
kubectl get nodes
kubectl get pods --all-namespaces | grep -v Running
while read -r url; do curl --silent --max-time 5 --output /dev/null --write-out "$url %{http_code}\n" "$url"; done <"$HEALTH"

# 2. The infrastructure.
kubectl cluster-info

# 3. The services, in the order of restoration.
kubectl scale statefulset postgres --replicas=3
kubectl scale deployment mongodb --replicas=3
kubectl scale deployment redis --replicas=3
kubectl scale statefulset scylladb --replicas=3

kubectl scale deployment auth-rbac --replicas=3
kubectl scale deployment audit-logging --replicas=3
kubectl scale deployment content-safety --replicas=2
kubectl scale deployment emergency-access --replicas=2

kubectl scale deployment api-gateway --replicas=5

kubectl scale deployment chat-history --replicas=3
kubectl scale deployment search-service --replicas=3
kubectl scale deployment billing --replicas=2
kubectl scale deployment consent --replicas=2
kubectl scale deployment background-tasks --replicas=2
kubectl scale deployment relationship-mgmt --replicas=2
kubectl scale deployment user-subscription --replicas=2

kubectl scale deployment ai-gateway --replicas=3
kubectl scale deployment embedding-service --replicas=2
kubectl scale deployment generation-service --replicas=2
kubectl scale deployment bge-host --replicas=2
kubectl scale deployment qwen-host --replicas=2
