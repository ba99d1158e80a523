#!/usr/bin/env bash
# runc for machines whose root may neither raise limits nor use CAP_SYS_RESOURCE: removes both from the OCI configuration.
# `create --bundle DIR` reads DIR/config.json, `exec --process FILE` reads FILE.
set -euo pipefail

allow() { # FILE FILTER: the jq path of the process in the file
  jq --arg refused CAP_SYS_RESOURCE "($2) |= (del(.rlimits, .oomScoreAdj) | if .capabilities then .capabilities |= map_values(map(select(. != \$refused))) else . end)" \
    "$1" >"$1.allowed"
  mv "$1.allowed" "$1"
}

arguments=("$@")
for index in "${!arguments[@]}"; do
  value=${arguments[index + 1]:-}
  case ${arguments[index]} in
    --bundle | -b) allow "$value/config.json" .process ;;
    --process | -p) allow "$value" . ;;
  esac
done
exec runc "$@"
