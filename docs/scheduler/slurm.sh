#!/bin/sh
# Drains the Slurm nodes whose host fabricscope says to avoid. Run it from cron or a timer, e.g. every minute.
#   FABRICSCOPE   address of the dashboard                              (http://127.0.0.1:8080)
#   NODES         file with one "ADDRESS NODE" a line; without an entry a host is looked up with getent and, failing that, skipped
#   DRY_RUN       when set, only prints what it would do
set -eu
base=${FABRICSCOPE:-http://127.0.0.1:8080}

node_of() {
    name=$(awk -v a="$1" '$1 == a { print $2; exit }' "${NODES:-/dev/null}")
    [ -n "$name" ] || name=$(getent hosts "$1" | awk '{ split($2, part, "."); print part[1]; exit }')
    echo "$name"
}

# A failure to ask is no reason to drain anything: the pipe gives no line.
answer=$(curl --fail --silent --show-error --max-time 10 "$base/api/v1/health/hosts?state=avoid")
printf '%s' "$answer" | jq -r '.rows[] | [.id, (.why[0].kind // "finding"), (.why[0].finding // "")] | @tsv' |
while IFS="$(printf '\t')" read -r address kind finding; do
    node=$(node_of "$address")
    [ -n "$node" ] || { echo "no node for $address; add it to NODES" >&2; continue; }
    ${DRY_RUN:+echo} scontrol update "NodeName=$node" State=DRAIN "Reason=fabricscope: $kind ($finding)" </dev/null
done
