# shellcheck shell=dash
# Sourced, in the checkout.  All parts, each after those that it needs.

. scripts/lib/exit_codes.sh
. scripts/lib/talk.sh
. scripts/lib/long_step.sh
. scripts/lib/compose.sh
. scripts/lib/engine.sh
. scripts/lib/network.sh
. scripts/lib/stack.sh
. scripts/lib/answers.sh
. scripts/lib/workers.sh
. scripts/lib/limit.sh
. scripts/lib/removal.sh
. scripts/lib/setup.sh
