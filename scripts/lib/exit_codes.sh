# shellcheck shell=dash disable=SC2034
# Sourced.  Why a script ended, as its exit code; docs/setup.md explains each.

EXIT_FAILED=1           # something that no other code names
EXIT_USAGE=2            # a wrong argument or setting, or nobody there to answer a question
EXIT_SYSTEM=3           # another system than the script is for, or a tool of it is missing
EXIT_NO_DOCKER=4        # Docker is not installed
EXIT_DOCKER_DOWN=5      # Docker does not run, or does not let us in
EXIT_NO_COMPOSE=6       # Compose is missing, too old, or refuses our file
EXIT_ENGINE_SMALL=7     # Docker has too little memory or too few processors
EXIT_DISK_FULL=8        # too little room
EXIT_PORT_IN_USE=9      # somebody else listens where we should
EXIT_SUBNET_IN_USE=10   # another network has our addresses
EXIT_SECRETS=11         # the secrets cannot be made, or are not those of the data
EXIT_IMAGES=12          # an image cannot be built or pulled
EXIT_NOT_HEALTHY=13     # a service does not start, or is not healthy in time
EXIT_NO_DEMO=14         # the demo table cannot be made
EXIT_WRONG_ANSWER=15    # a request failed, or its answer is not the right one
