#!/bin/sh
# Taints the Kubernetes nodes whose host fabricscope says to avoid, and takes the taint off those that are healthy again.
# NoSchedule: what runs goes on, nothing new is placed there.
#   FABRICSCOPE   address of the dashboard                              (http://127.0.0.1:8080)
#   NODES         file with one "ADDRESS NODE" a line; hosts without an entry are skipped
#   DRY_RUN       when set, only prints what it would do
set -eu
base=${FABRICSCOPE:-http://127.0.0.1:8080}
taint=fabricscope.io/avoid

# A failure to ask is no reason to change anything: set -e ends the script here.
hosts() {
    answer=$(curl --fail --silent --show-error --max-time 10 "$base/api/v1/health/hosts?state=$1") || return 1
    printf '%s' "$answer" | jq -r '.rows[] | [.id, (.why[0].kind // "finding")] | @tsv'
}

each() {
    while IFS="$(printf '\t')" read -r address kind; do
        node=$(awk -v a="$address" '$1 == a { print $2; exit }' "${NODES:-/dev/null}")
        [ -n "$node" ] || continue
        case $1 in
            on) ${DRY_RUN:+echo} kubectl taint node "$node" "$taint=$kind:NoSchedule" --overwrite </dev/null ;;
            # Not there is as good as taken off.
            off) ${DRY_RUN:+echo} kubectl taint node "$node" "$taint:NoSchedule-" </dev/null || true ;;
        esac
    done
}

avoid=$(hosts avoid)
healthy=$(hosts healthy)
[ -z "$avoid" ] || printf '%s\n' "$avoid" | each on
[ -z "$healthy" ] || printf '%s\n' "$healthy" | each off
