# shellcheck shell=dash
# Sourced, after compose.sh.  Takes the stack away; data only when that was said, and confirmed.

DELETE_DATA=no  # --delete-data

project_volumes() { docker volume ls -q --filter "$(of_project)"; }

# Decide about data before anything is done: afterwards the question would come too late.
confirm_data_loss() {
    local volumes answer=''
    volumes=$(project_volumes | tr '\n' ' ')
    if [ -z "$volumes" ]; then
        DELETE_DATA=no
        return
    fi
    if [ "$DELETE_DATA" = yes ] && [ "$ASSUME_YES" = yes ]; then
        return
    fi
    if [ "$ASSUME_YES" = yes ] || ! can_ask; then
        if [ "$DELETE_DATA" = yes ]; then
            fail "$EXIT_USAGE" 'Nobody is there to confirm that the data may be deleted. Nothing was done.' \
                'Say --yes too, or run it in a terminal.'
        fi
        return
    fi
    note "The data lie in the volumes ${volumes% }: tables, jobs, uploads, measurements."
    printf '        Type delete to delete them for ever; anything else keeps them: '
    read -r answer || true
    if [ "$answer" = delete ]; then
        DELETE_DATA=yes
    else
        DELETE_DATA=no
    fi
}

# remove_stack: containers and networks; volumes and secrets too if DELETE_DATA is yes.
remove_stack() {
    set -- down --remove-orphans
    if [ "$DELETE_DATA" = yes ]; then
        set -- "$@" --volumes
    fi
    long_step 'removing containers and networks' compose --profile load-test --profile tools "$@" ||
        explain_log "$EXIT_FAILED" 'Not everything could be removed.'
    if [ "$DELETE_DATA" = yes ]; then
        rm -rf secrets  # they open nothing any more, and new data get new ones
        good 'data and secrets deleted'
    elif [ -n "$(project_volumes)" ]; then
        note 'The data are kept, and so are the secrets, without which nobody can open them.'
    fi
}

# The image that was built here.  Others, postgres for one, may be in use by other projects.
remove_own_images() {
    local image
    for image in $(own_images); do
        if docker image rm "$image" >>"$LOG" 2>&1; then
            good "image $image removed"
        fi
    done
}

own_images() {
    compose --profile load-test --profile tools config | awk '
        /^[a-z]/ { inside = $1 == "services:" }
        inside && /^  [^ ]/ { tell(); name = $1; image = ""; built = 0 }
        inside && /^    build:/ { built = 1 }
        inside && /^    image:/ { image = $2 }
        END { tell() }
        function tell() { if (name && built && image) print image; name = "" }' | sort -u
}
