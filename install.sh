#!/usr/bin/env bash
# Sets Parley up: to look at (--demo), to test (--test), or as the appliance (as root).
set -Eeuo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
UV_VERSION=0.13.9
PREFIX=/opt/parley
CACHE=/var/cache/parley
KEY_DIR=/etc/parley/credentials
KEY=$KEY_DIR/gemini_api_key
CONFIG=/etc/parley/config.yaml
STATE=/var/lib/parley
UDEV_RULES=/etc/udev/rules.d/60-parley-respeaker.rules
READY_WITHIN_S=60

# PyAudio and systemd-python have no wheels: both are compiled here.
BUILD_PACKAGES=(ca-certificates gcc libsystemd-dev pkg-config portaudio19-dev python3 python3-dev
    python3-venv)
# espeak-ng speaks what is said when nothing else works, libspeexdsp1 cancels echo, libusb-1.0-0
# lights the rings of USB arrays.
RUN_PACKAGES=("${BUILD_PACKAGES[@]}" espeak-ng libasound2-plugins libspeexdsp1 libusb-1.0-0)
TEST_PACKAGES=("${RUN_PACKAGES[@]}" iproute2 procps pulseaudio pulseaudio-utils shellcheck sox
    systemd)
APPLIANCE_PACKAGES=("${RUN_PACKAGES[@]}" alsa-utils procps)
# Only Raspberry Pi OS has it; PyPI's has no wheel for Python 3.13.
PI_PACKAGE=python3-lgpio

usage() {
    cat <<'USAGE'
usage: ./install.sh --demo [OPTIONS OF parley demo]   a whole conversation, no hardware needed
       ./install.sh --test [OPTIONS OF pytest]        the test suite
       sudo ./install.sh [--yes] [--key-file FILE]    install or upgrade the speaker
       sudo ./install.sh --uninstall [--purge]        remove it; --purge: config, key, state too

  --key-file FILE   take the Gemini API key from FILE instead of asking for it
  --yes             ask nothing; without a key the speaker starts and says that it has none

--demo and --test leave a .venv here, so .venv/bin/parley works from then on.
USAGE
}

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
warn() { printf 'install.sh: warning: %s\n' "$*" >&2; }
# In a $(subshell) the code says that the reason is told already; the trap outside ends the script.
TOLD=99
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    [ "$BASH_SUBSHELL" -eq 0 ] || exit "$TOLD"
    exit 1
}
if [ ! -t 1 ]; then
    say() { printf '==> %s\n' "$*"; }
fi
trap '[ $? -eq "$TOLD" ] && exit 1; fail "stopped at line $LINENO: $BASH_COMMAND"' ERR

# quietly WHAT COMMAND...: run it; show what it printed only when it fails.
quietly() {
    local what=$1 log started=$SECONDS
    shift
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        fail "$what failed; the end of what it said is above"
    fi
    rm -f "$log"
    note "$what: done in $((SECONDS - started)) s"
}

# --- what a machine needs -------------------------------------------------------------------------

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

is_offered() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }

is_raspberry_pi() { tr -d '\0' 2>/dev/null </proc/device-tree/model | grep -q '^Raspberry Pi'; }

missing_of() {
    local package
    for package in "$@"; do
        is_installed "$package" || printf '%s\n' "$package"
    done
}

# as_root COMMAND...: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

may_become_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }
}

APT=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)

# ensure_packages PACKAGE...: install with apt what is missing.
ensure_packages() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        warn "this is no Debian; make sure that it has what these packages hold: $*"
        return
    fi
    local missing
    mapfile -t missing < <(missing_of "$@")
    [ ${#missing[@]} -eq 0 ] && return
    may_become_root || fail "these packages are missing and you are neither root nor allowed" \
        "to use sudo; ask for: apt-get install --no-install-recommends ${missing[*]}"
    say "Installing ${#missing[@]} packages with apt: ${missing[*]}"
    quietly "package lists" as_root "${APT[@]}" update
    quietly "packages" as_root "${APT[@]}" install -y --no-install-recommends "${missing[@]}"
}

# On a Pi, python3-lgpio moves the LEDs and the button; elsewhere there is nothing to move.
ensure_gpio() {
    if ! is_raspberry_pi || is_installed "$PI_PACKAGE"; then
        return
    fi
    if ! is_offered "$PI_PACKAGE" && may_become_root; then
        quietly "package lists" as_root "${APT[@]}" update
    fi
    if is_offered "$PI_PACKAGE"; then
        ensure_packages "$PI_PACKAGE"
    else
        warn "apt does not offer $PI_PACKAGE: lights and button on GPIO pins will not work"
    fi
}

python_version() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }

is_right_python() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
        2>/dev/null
}

# find_python [CANDIDATE...]: print the first that is Python 3.11 to 3.13.
find_python() {
    local candidate found=()
    for candidate in "$@"; do
        candidate=$(command -v "$candidate" 2>/dev/null) || continue
        if is_right_python "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
        found+=("$candidate ($(python_version "$candidate" || echo 'does not run'))")
    done
    fail "Python 3.11 to 3.13 with the venv module is needed; found: ${found[*]:-none}"
}

# --- the Python environment -----------------------------------------------------------------------

# Certificates of the machine count, as they do for apt and pip; SSL_CERT_FILE beats them.
export UV_SYSTEM_CERTS=true UV_PYTHON_DOWNLOADS=never

# ensure_venv DIR PYTHON: a virtual environment that sees the system's packages.
ensure_venv() {
    local dir=$1 python=$2
    if [ -x "$dir/bin/python" ] && is_right_python "$dir/bin/python"; then
        return
    fi
    quietly "environment with Python $(python_version "$python")" \
        "$python" -m venv --clear --system-site-packages "$dir"
}

# ensure_uv DIR: uv, from PyPI, in that environment.
ensure_uv() {
    local dir=$1
    case $("$dir/bin/uv" --version 2>/dev/null || true) in
    "uv $UV_VERSION"*) return ;;
    esac
    "$dir/bin/python" -m pip --version >/dev/null 2>&1 ||
        quietly "pip" "$dir/bin/python" -m ensurepip --default-pip
    quietly "uv $UV_VERSION" "$dir/bin/python" -m pip install --quiet --ignore-installed \
        --disable-pip-version-check --root-user-action=ignore "uv==$UV_VERSION"
}

# sync UV DIR OPTION...: exactly what uv.lock names, checked by hash, into the environment.
sync() {
    local uv=$1 dir=$2
    shift 2
    UV_PROJECT_ENVIRONMENT=$dir "$uv" sync --project "$HERE" --frozen --python "$dir/bin/python" \
        "$@"
}

require_checkout() {
    [ -e "$HERE/pyproject.toml" ] || fail "$HERE is no checkout of Parley: run install.sh in one"
}

# prepare_checkout SYNC-OPTION...: .venv here, ready to run.
prepare_checkout() {
    local venv=$HERE/.venv python
    require_checkout
    python=$(find_python /usr/bin/python3 python3 python3.13 python3.12 python3.11)
    ensure_venv "$venv" "$python"
    ensure_uv "$venv"
    if ! sync "$venv/bin/uv" "$venv" "$@" --check >/dev/null 2>&1; then
        say "Installing the Python packages of uv.lock (the first time takes a few minutes on a Pi)"
        quietly "Python packages" sync "$venv/bin/uv" "$venv" "$@"
    fi
    export ORT_DISABLE_TELEMETRY=1
    cd "$HERE"
}

demo() {
    ensure_packages "${RUN_PACKAGES[@]}"
    ensure_gpio
    # Inexact: it leaves what --test has installed.
    prepare_checkout --no-dev --inexact
    say "parley demo $*"
    exec .venv/bin/parley demo "$@"
}

run_tests() {
    ensure_packages "${TEST_PACKAGES[@]}"
    prepare_checkout
    export GPIOZERO_PIN_FACTORY=mock
    say "pytest $*"
    exec .venv/bin/python -m pytest "$@"
}

# --- the appliance --------------------------------------------------------------------------------

require_root() {
    [ "$(id -u)" -eq 0 ] || fail "run it as root: sudo ./install.sh (or see ./install.sh --help)"
}

require_appliance_machine() {
    local architecture free_mb
    architecture=$(dpkg --print-architecture 2>/dev/null) ||
        fail "this is no Debian or Raspberry Pi OS: the speaker can only be installed there"
    case $architecture in
    amd64 | arm64) ;;
    *) fail "the architecture is $architecture: a 64-bit system (arm64 or amd64) is needed" ;;
    esac
    [ -d /run/systemd/system ] || fail "systemd does not run here: it is what starts the speaker"
    free_mb=$(df --output=avail -m /opt | tail -n 1)
    [ "$free_mb" -ge 1500 ] || fail "only $free_mb MB are free in /opt: 1500 MB are needed"
}

# The key never becomes an argument of a command: those can be seen by everybody.
KEY_TEXT=
read_key() {
    local key_file=$1 unattended=$2
    if [ -n "$key_file" ]; then
        [ -r "$key_file" ] || fail "the key file $key_file cannot be read"
        KEY_TEXT=$(tr -d '[:space:]' <"$key_file")
        [ -n "$KEY_TEXT" ] || fail "the key file $key_file is empty"
    elif [ -z "$unattended" ] && [ ! -s "$KEY" ] && [ -t 0 ]; then
        printf 'Gemini API key (https://aistudio.google.com/apikey; Enter to do it later): '
        IFS= read -rs KEY_TEXT || true
        printf '\n'
        KEY_TEXT=${KEY_TEXT//[[:space:]]/}
    fi
}

ensure_user() {
    getent group parley >/dev/null || groupadd --system parley
    getent passwd parley >/dev/null || useradd --system --gid parley --no-create-home \
        --home-dir "$STATE" --shell /usr/sbin/nologin --comment 'Parley speaker' parley
    local group
    for group in audio gpio i2c plugdev spi; do
        if getent group "$group" >/dev/null; then
            usermod --append --groups "$group" parley
        fi
    done
    if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        usermod --append --groups parley "$SUDO_USER"
    fi
}

# What tells one release from another: the version, and a fingerprint of everything in it.
release_name() {
    local python=$1 version fingerprint
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$HERE/pyproject.toml" | head -n 1)
    fingerprint=$(cd "$HERE" &&
        {
            find device config systemd -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z |
                xargs -0 sha256sum
            sha256sum pyproject.toml uv.lock install.sh README.md LICENSE
            python_version "$python"
        } | sha256sum | cut -c 1-8)
    printf '%s+%s\n' "$version" "$fingerprint"
}

# build_release DIR PYTHON: a release is whole when it has .complete, and is never changed then.
build_release() {
    local release=$1 python=$2 uv=$PREFIX/uv
    export UV_CACHE_DIR=$CACHE/uv
    ensure_venv "$uv" "$python"
    ensure_uv "$uv"
    rm -rf "$release"
    mkdir -p "$release"
    cp -R "$HERE"/{config,systemd,install.sh,README.md,LICENSE} "$release/"
    "$python" -m venv --without-pip --system-site-packages "$release/.venv"
    quietly "Python packages" sync "$uv/bin/uv" "$release/.venv" --no-dev --no-editable \
        --compile-bytecode
    chmod -R a+rX,go-w "$release"
    touch "$release/.complete"
}

# Config and key are the owner's: what is there already stays.
ensure_config() {
    local release=$1
    if [ -e "$CONFIG" ]; then
        note "$CONFIG: kept"
        "$release/.venv/bin/parley" config check "$CONFIG" >/dev/null ||
            fail "$CONFIG does not suit this release (see above); mend it and run this again." \
                "Nothing was switched over: a speaker that runs goes on as it is"
    else
        install -D -m 0644 "$release/config/parley.yaml" "$CONFIG"
        note "$CONFIG: written, all defaults"
    fi
    install -D -m 0644 "$release/systemd/parley.tmpfiles" /etc/tmpfiles.d/parley.conf
    systemd-tmpfiles --create /etc/tmpfiles.d/parley.conf
    if [ -n "$KEY_TEXT" ]; then
        (umask 077 && printf '%s\n' "$KEY_TEXT" >"$KEY.new" && mv "$KEY.new" "$KEY")
        note "$KEY: written"
    elif [ -s "$KEY" ]; then
        note "$KEY: kept"
    fi
}

# Where nothing runs that takes the rules at once (a container), they count from the next boot.
reload_udev() {
    if command -v udevadm >/dev/null && udevadm control --reload >/dev/null 2>&1; then
        udevadm trigger --settle --subsystem-match=usb --attr-match=idVendor=2886 >/dev/null 2>&1 ||
            warn "udev did not look at what is plugged in: plug a USB array out and in again"
    fi
}

# Who may set the LEDs of an array on USB; one that is plugged in already needs not be pulled out.
ensure_udev() {
    local rules=$1/systemd/${UDEV_RULES##*/}
    cmp --silent "$rules" "$UDEV_RULES" && return
    install -D -m 0644 "$rules" "$UDEV_RULES"
    reload_udev
    note "$UDEV_RULES: written"
}

remove_udev() {
    [ -e "$UDEV_RULES" ] || return 0
    rm -f "$UDEV_RULES"
    reload_udev
}

# configured_language RELEASE: print the BCP-47 tag that the speaker is set to, or nothing.
configured_language() {
    "$1/.venv/bin/parley" config show "$CONFIG" |
        sed -n '/^live:/,/^[^ ]/s/^  language: "\{0,1\}\([A-Za-z0-9-]*\).*/\1/p' |
        grep -vx null || true
}

# make_clips RELEASE: as the speaker's own user, so that it may replace them.
make_clips() {
    local release=$1 language
    language=$(configured_language "$release")
    # -P: nothing but the release's own modules.
    install -d -o parley -g parley -m 0750 "$STATE" &&
        runuser -u parley -- env -C "$STATE" "$release/.venv/bin/python" -P \
            -m device.audio.clips "$STATE/clips" ${language:+"$language"}
}

# What the speaker says when something is wrong. It makes itself what is missing, but the first
# thing to go wrong may be its first start.
ensure_clips() {
    local told
    if told=$(make_clips "$1" 2>&1); then
        note "$told"
    else
        warn "the speaker cannot say what is wrong: ${told:-no reason was given}"
    fi
}

# replace_link TARGET LINK: at no moment is the link missing.
replace_link() {
    ln -sfn "$1" "$2.new"
    mv -T "$2.new" "$2"
}

# Nothing to do for a speaker that runs what is installed: it may be in a conversation.
runs_already() {
    local release=$1
    systemctl --quiet is-active parley.service && [ -z "$KEY_TEXT" ] &&
        [ "$(readlink -f "$PREFIX/current")" = "$release" ] &&
        cmp --silent "$release/systemd/parley.service" /etc/systemd/system/parley.service
}

start_service() {
    local release=$1
    replace_link "releases/${release##*/}" "$PREFIX/current"
    replace_link "$PREFIX/current/.venv/bin/parley" /usr/local/bin/parley
    install -m 0644 "$release/systemd/parley.service" /etc/systemd/system/parley.service
    systemctl daemon-reload
    systemctl --quiet enable parley.service
    systemctl reset-failed parley.service 2>/dev/null || true
    systemctl --no-block restart parley.service
}

# wait_for_service: print how it ended: active, activating, failed, crashing.
wait_for_service() {
    local state='' deadline=$((SECONDS + READY_WITHIN_S))
    while [ "$SECONDS" -lt "$deadline" ]; do
        state=$(systemctl show --property=ActiveState --value parley.service)
        if [ "$(systemctl show --property=SubState --value parley.service)" = auto-restart ]; then
            state=crashing
        fi
        case $state in
        active | failed | crashing) break ;;
        esac
        sleep 0.5
    done
    printf '%s\n' "$state"
}

# Two releases stay: the one in force and the one before it.
remove_old_releases() {
    local release
    find "$PREFIX/releases" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn |
        cut -d ' ' -f 2- | tail -n +3 | while IFS= read -r release; do
        [ "$release" = "$(readlink -f "$PREFIX/current")" ] || rm -rf "$release"
    done
}

summary() {
    local state=$1 release=$2 status
    status=$(systemctl show --property=StatusText --value parley.service)
    say "Parley ${release##*/}: ${state}${status:+ ($status)}"
    case $state in
    active) ;;
    activating) warn "it is still starting; what it waits for: journalctl -u parley -n 20" ;;
    *) warn "it did not start; why: journalctl -u parley -n 20; sudo parley config check" ;;
    esac
    if [ ! -s "$KEY" ]; then
        note "It has no key yet: sudo ./install.sh --key-file FILE"
    fi
    note "What it does now   parley status      (parley watch: live)"
    note "Settings           $CONFIG, then sudo systemctl reload parley"
    note "Journal            journalctl -u parley -f"
    note "Remove it          sudo $PREFIX/current/install.sh --uninstall"
    if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        note "$SUDO_USER may use the parley command without sudo after the next login."
    fi
}

install_appliance() {
    local key_file=$1 unattended=$2 python release state
    require_root
    require_checkout
    require_appliance_machine
    umask 022
    exec 9>/run/parley-install.lock
    flock -n 9 || fail "another install.sh is running"
    read_key "$key_file" "$unattended"
    ensure_packages "${APPLIANCE_PACKAGES[@]}"
    ensure_gpio
    # Only the system's Python: the unit's sandbox hides home directories.
    python=$(find_python /usr/bin/python3)
    release=$PREFIX/releases/$(release_name "$python")
    if [ -e "$release/.complete" ]; then
        say "Release ${release##*/} is there already"
        touch "$release"
    else
        say "Building release ${release##*/} (the first time takes a few minutes on a Pi)"
        build_release "$release" "$python"
    fi
    say "User, configuration, key"
    ensure_user
    ensure_config "$release"
    ensure_udev "$release"
    ensure_clips "$release"
    if runs_already "$release"; then
        say "parley.service runs it already"
    else
        say "Starting parley.service"
        start_service "$release"
    fi
    state=$(wait_for_service)
    remove_old_releases
    summary "$state" "$release"
    case $state in
    active | activating) ;;
    *) exit 1 ;;
    esac
}

uninstall() {
    local purge=$1
    require_root
    if [ -d /run/systemd/system ]; then
        systemctl disable --now --quiet parley.service 2>/dev/null || true
    fi
    rm -f /etc/systemd/system/parley.service /etc/tmpfiles.d/parley.conf
    remove_udev
    [ -d /run/systemd/system ] && systemctl daemon-reload
    case $(readlink /usr/local/bin/parley 2>/dev/null || true) in
    "$PREFIX"/*) rm -f /usr/local/bin/parley ;;
    esac
    rm -rf "$PREFIX" "$CACHE" /run/parley-install.lock
    if [ -n "$purge" ]; then
        rm -rf /etc/parley "$STATE"
        getent passwd parley >/dev/null && userdel parley
        getent group parley >/dev/null && groupdel parley
        say "Parley is removed, with its configuration, key and state"
    else
        say "Parley is removed; /etc/parley and $STATE stay (--purge removes them too)"
    fi
}

main() {
    case ${1:-} in
    --demo) shift && demo "$@" ;;
    --test) shift && run_tests "$@" ;;
    esac
    local uninstall='' purge='' key_file='' unattended=''
    while [ $# -gt 0 ]; do
        case $1 in
        --uninstall) uninstall=yes ;;
        --purge) purge=yes ;;
        --yes) unattended=yes ;;
        --key-file)
            key_file=${2:-}
            [ -n "$key_file" ] || { usage >&2 && exit 2; }
            shift
            ;;
        -h | --help) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
        esac
        shift
    done
    [ -z "$purge" ] || [ -n "$uninstall" ] || { usage >&2 && exit 2; }
    if [ -n "$uninstall" ]; then uninstall "$purge"; else install_appliance "$key_file" "$unattended"; fi
}

main "$@"
