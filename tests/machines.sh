# Sourced by tests/fresh and tests/packages/debian, after examples/setup.sh. Makes Debian machines of
# which nothing is known but their suite, and boots them.
# shellcheck shell=bash

cache=${TMPDIR:-/var/tmp}/inosync-fresh # what was downloaded stays here
leader=                                 # the first process of the machine that was booted
machine=                                # its root

# machines_ready: see that machines can be made; what is made goes at the end.
machines_ready() {
    [ "$(id -u)" = 0 ] || fail 'needs root'
    packages "$(find_python)" mmdebstrap=mmdebstrap systemd-nspawn=systemd-container unshare=util-linux
    mkdir -p "$cache"
    # What this machine's pip was told in its environment.
    mapfile -t pip < <(env | grep -E '^PIP_' || true)
    trap 'halt; [ -z "$machine" ] || remove "$machine"' EXIT
}

say() { printf '%s %s\n' "$(date +%T)" "$*"; }

# made SUITE: make the machine once; what later runs unpack is a fresh one.
made() {
    [ -e "$cache/$1.tar" ] && return
    say "$1: downloading"
    # A mirror that is a picture of its day is no fault here.
    quietly mmdebstrap --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=systemd-sysv,dbus,dbus-user-session,libpam-systemd,python3,git,ca-certificates,procps \
        "$1" "$cache/$1.$$.part.tar"
    mv "$cache/$1.$$.part.tar" "$cache/$1.tar"
}

# unpacked SUITE: set $machine to the root of a fresh one, with a clone of this repository in it.
unpacked() {
    machine=$cache/$1.$$ # another run may have one of the same suite
    mkdir -p "$machine"
    tar -C "$machine" --numeric-owner -xpf "$cache/$1.tar"
    cp -L /etc/resolv.conf "$machine/etc/resolv.conf"
    cp -L /etc/ssl/certs/ca-certificates.crt "$machine/etc/ssl/certs/"
    for settings in /etc/pip.conf /etc/xdg/pip; do
        [ ! -e "$settings" ] || { mkdir -p "$machine/etc/xdg" && cp -rL "$settings" "$machine$settings"; }
    done
    git clone --quiet --bare . "$machine/srv/repository"
    mkdir -p "$machine/var/www" "$machine/srv/www-1" "$machine/srv/www-2"
    echo hello >"$machine/var/www/index.html"
}

# remove ROOT: remove a machine, with nothing of ours mounted in it, and what it said.
remove() {
    [ ! -d "$1" ] || rm -rf --one-file-system "$1"
    rm -f "$1.log"
}

# installing COMMAND: run it in the machine before it is booted, with our network. Its root is no mount
# point, which is one more thing to do with; but with point=yes it is: tests make mounts of their own.
installing() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "${pip[@]}" \
        unshare --mount --pid --fork sh -c '
            [ -z "$2" ] || mount --bind "$0" "$0"
            for place in dev sys; do mount --rbind /$place "$0/$place"; done
            mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/tmp"; mount -t tmpfs tmpfs "$0/run"
            exec chroot "$0" bash -euo pipefail -c "cd /root; $1"' "$machine" "$1" "${point:-}"
}

# boot: start systemd in the machine; false when that is not allowed.
boot() {
    command -v systemd-nspawn >/dev/null || return
    # Debian 12's systemd takes the cgroups that there are, later ones need the new kind.
    local unified=()
    grep -qs 'VERSION_ID="12"' "$machine/etc/os-release" || unified=(SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1)
    env "${unified[@]}" setsid systemd-nspawn --quiet --boot --private-network --register=no --keep-unit \
        -D "$machine" </dev/null >"$machine.log" 2>&1 &
    nspawn=$!
    for _ in $(seq 300); do
        leader=$(pgrep -P "$nspawn" | head -n 1) || true
        case ${leader:+$(inside 'systemctl is-system-running' 2>/dev/null || true)} in
            running | degraded) return ;;
        esac
        kill -0 "$nspawn" 2>/dev/null || break
        sleep 0.2
    done
    halt
    return 1
}

halt() {
    [ -z "$leader" ] || inside 'systemctl poweroff' 2>/dev/null || true
    leader=
    [ -z "${nspawn:-}" ] || { sleep 1; kill -KILL "$nspawn" 2>/dev/null || true; wait "$nspawn" 2>/dev/null || true; }
    nspawn=
}

# inside COMMAND [USER]: run it in the machine that was booted, as root or as this user.
inside() {
    local as=(bash -euo pipefail -c "cd; $1")
    [ -z "${2:-}" ] || as=(runuser -u "$2" -- env HOME="/home/$2" "${as[@]}")
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        nsenter -t "$leader" -a "${as[@]}"
}

# expect STATUS TEXT COMMAND [USER]: run it inside, and see how it ends and what it says.
expect() {
    local status=0 said
    said=$(inside "$3" "${4:-}" 2>&1 </dev/null) || status=$?
    printf '%s# %s\n%s\n' "${4:-root}" "$3" "$said" | sed 's/^/    /'
    [ "$status" = "$1" ] || fail "exit status $status, not $1"
    [[ $said == *"$2"* ]] || fail "does not say '$2'"
}
