#!/usr/bin/env bash
# Sets Parley up: to look at (--demo), to test (--test), or as the appliance (as root).
set -Eeuo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PREFIX=/opt/parley
CACHE=/var/cache/parley
KEY_DIR=/etc/parley/credentials
KEY=$KEY_DIR/gemini_api_key
# systemd takes 1 MiB in all, and the key twice.
MOST_CREDENTIALS_BYTES=1000000
CONFIG=/etc/parley/config.yaml
STATE_DIR=/var/lib/parley
UDEV_RULES=/etc/udev/rules.d/60-parley-respeaker.rules
WIFI_AWAKE=/etc/NetworkManager/conf.d/parley-wifi.conf
UNIT=/etc/systemd/system/parley.service
# Lets the service at the camera that is configured; not there where none is.
CAMERA=$UNIT.d/camera.conf
RECOVERY=/etc/systemd/system/parley-recover.service
# Names the release to go back to, and the one that is put in force and not ready yet.
UNPROVEN_MARK=$PREFIX/unproven
# The last release that became ready: it is the one whose install.sh takes an upgrade back.
PROVEN=$PREFIX/proven
LOCK=/run/parley-install.lock
LOG=/var/log/parley-install.log
TMPFILES=/etc/tmpfiles.d/parley.conf
MAN_PAGE=/usr/local/share/man/man1/parley.1
COMPLETION=/usr/local/share/bash-completion/completions/parley
BOOT_CONFIG=/boot/firmware/config.txt
OS_RELEASE=/etc/os-release
ROUTES=/proc/net/route
ROUTES_6=/proc/net/ipv6_route
WIRELESS=/proc/net/wireless
MEMINFO=/proc/meminfo
PI_MODEL=/proc/device-tree/model
SOUND_CARDS=/dev/snd
# Where Debian's packages put what they hold for Python.
DEBIAN_PYTHON=/usr/lib/python3/dist-packages
# How long a start may take, on the slowest Pi from a cold card (a little longer than the unit's
# TimeoutStartSec=, so that systemd judges), until it is worth a look whether it waits for a
# microphone, and how long the command may take to be answered then.
READY_WITHIN_S=190
LOOK_AFTER_S=20
ANSWERS_WITHIN_S=30
# How often a step that takes long says that it goes on.
TICK_S=30
APT_LOCK_WAIT_S=600
CLOCK_WAIT_S=60
# No machine that gets this code can have an earlier day; device.live.network has the same.
RELEASED=2026-11-01
# What a release, its packages and what uv keeps for the next one take.
OPT_MB=1200
VAR_MB=600

# PyAudio and systemd-python are the only ones without wheels: they come as Debian has built them,
# so that no compiler is needed and root builds nothing that was downloaded.
BUILD_PACKAGES=(ca-certificates python3 python3-pyaudio python3-systemd python3-venv)
NOT_FROM_PYPI=(pyaudio systemd-python)
# espeak-ng speaks what is said when nothing else works, libspeexdsp1 cancels echo, libusb-1.0-0
# lights the rings of USB arrays.
RUN_PACKAGES=("${BUILD_PACKAGES[@]}" espeak-ng libasound2-plugins libspeexdsp1 libusb-1.0-0)
# The compiler builds a sound card of the tests' own.
TEST_PACKAGES=("${RUN_PACKAGES[@]}" gcc iproute2 libasound2-dev libc6-dev procps pulseaudio
    pulseaudio-utils shellcheck sox systemd)
APPLIANCE_PACKAGES=("${RUN_PACKAGES[@]}" alsa-utils procps)
# Only Raspberry Pi OS has it; PyPI's has no wheel for Python 3.13.
PI_PACKAGE=python3-lgpio

usage() {
    cat <<'USAGE'
usage: ./install.sh --demo [OPTIONS OF parley demo]   a whole conversation, no hardware needed
       ./install.sh --test [OPTIONS OF pytest]        the test suite
       ./install.sh --test --quick [OPTIONS ...]      its quick part: all that needs no real time
       sudo ./install.sh [--yes] [--key-file FILE]    install or upgrade the speaker
       sudo ./install.sh --uninstall [--purge]        remove it; --purge: config, key, state too

  --key-file FILE   take the Gemini API key from FILE instead of asking for it
  --yes             ask nothing; without a key the speaker starts and says that it has none

--demo and --test leave a .venv here, so .venv/bin/parley works from then on.
A release that does not start is taken back: the one before it goes on. What an
installation says is kept in /var/log/parley-install.log; it goes on when the
connection over which it was started is lost.

Exit codes: 0 fine, 1 failed, 2 wrong usage, 78 the configuration has a mistake, and
there are no last good settings to go on with.
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
begin() { printf '    %s ... ' "$*"; }
begun() { printf '\r'; }
if [ ! -t 1 ]; then
    say() { printf '==> %s\n' "$*"; }
    begin() { :; }
    begun() { :; }
fi
trap '[ $? -eq "$TOLD" ] && exit 1; fail "stopped at line $LINENO: $BASH_COMMAND"' ERR

# printable: pass text on, less what could move the cursor, change the terminal or turn the writing
# around. What a server has answered may be in it.
printable() {
    { iconv -cs -f UTF-8 -t UTF-8 || true; } | LC_ALL=C.UTF-8 sed 's/[^[:print:]]/?/g' |
        LC_ALL=C sed $'s/\xe2\x80[\x8e\x8f\xa8-\xae]/?/g; s/\xe2\x81[\xa6-\xa9]/?/g'
}

# tick WHAT LOG: say again and again that it goes on, and the last that it said, until it is killed
# or this script has ended. Nothing is started for the waiting: it would outlive a kill.
tick() {
    local what=$1 log=$2 began=$SECONDS last
    while ! read -rt "$TICK_S" <> <(:) && [ -d "/proc/$$" ]; do
        last=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c 1-60 | printable || true)
        begun
        note "$what: for $((SECONDS - began)) s so far${last:+ ($last)}"
    done
}

# quietly WHAT COMMAND...: run it; show what it printed only when it fails. HINT says what else to do
# then.
quietly() {
    local what=$1 log started=$SECONDS code=0 ticker
    shift
    log=$(mktemp)
    begin "$what"
    tick "$what" "$log" 9>&- &
    ticker=$!
    "$@" >"$log" 2>&1 || code=$?
    { kill "$ticker" && wait "$ticker"; } 2>/dev/null || true
    begun
    if [ "$code" -ne 0 ]; then
        tail -n 30 "$log" | printable >&2
        rm -f "$log"
        fail "$what failed; the end of what it said is above${HINT:+; $HINT}"
    fi
    rm -f "$log"
    note "$what: done in $((SECONDS - started)) s"
}

# keep_going: from here on a lost connection ends nothing. Whoever has hung up gets no more of what
# is said, and a terminal that is gone would end whoever writes to it, so all of it goes by way of
# the log. Children inherit that the signal is ignored.
LOGGERS=()
keep_going() {
    trap '' HUP
    install -m 0640 /dev/null "$LOG"
    exec 7>&1 8>&2
    exec > >(exec tee -ai --output-error=warn "$LOG" 2>/dev/null)
    LOGGERS=("$!")
    exec 2> >(exec tee -ai --output-error=warn "$LOG" 2>/dev/null >&8)
    LOGGERS+=("$!")
}

# let_go: wait until all that was said is in the log, and on the terminal if that is there.
let_go() {
    [ ${#LOGGERS[@]} -gt 0 ] || return 0
    exec >&7 2>&8 7>&- 8>&-
    wait "${LOGGERS[@]}" || true
}

# Root runs what is installed: no module of the current directory, of a home directory or of what the
# caller's environment names (PYTHONSAFEPATH counts from Python 3.11 on; -I is used besides).
stand_apart() {
    unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
    export PYTHONSAFEPATH=1 PYTHONNOUSERSITE=1 ORT_DISABLE_TELEMETRY=1
    cd /
}

# One at a time, uninstalling too. The file stays: another one of that name would be another lock.
lock_others_out() {
    exec 9>"$LOCK"
    flock -n 9 || fail "another install.sh is running"
}

# --- what a machine needs -------------------------------------------------------------------------

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

is_offered() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }

pi_model() { tr -d '\0' 2>/dev/null <"$PI_MODEL" || true; }

is_raspberry_pi() { [[ $(pi_model) == "Raspberry Pi"* ]]; }

memory_mb() { awk '/^MemTotal:/ { print int($2 / 1024) }' "$MEMINFO"; }

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

# --- packages, and the way to them ----------------------------------------------------------------

APT=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300
    -o Acquire::Retries=3 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)
APT_LOCKS=(/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock
    /var/cache/apt/archives/lock)

# has_open PROCESS FILE...: whether it has one of them open. Yes where that may not be looked at.
has_open() {
    local process=$1 descriptor file
    shift
    [ -r "/proc/$process/fd" ] || return 0
    for descriptor in "/proc/$process/fd"/*; do
        for file in "$@"; do
            [ ! "$descriptor" -ef "$file" ] || return 0
        done
    done
    return 1
}

# lock_holder FILE...: print the number of the process that holds a lock on one of them (0: one that
# cannot be seen from here), or nothing. The kernel's table names files by their number, which a file
# of another disk may have too.
lock_holder() {
    local inodes process
    inodes=$(stat --format=%i -- "$@" 2>/dev/null | tr '\n' ' ')
    while read -r process; do
        if has_open "$process" "$@"; then
            printf '%s\n' "$process"
            return
        fi
    done < <(awk -v inodes=" $inodes" \
        '{ split($6, file, ":") } index(inodes, " " file[3] " ") { print $5 }' /proc/locks)
}

# Updates that run by themselves hold it for minutes, above all after the first boot.
wait_for_apt() {
    local holder name='' began=$SECONDS told=-30
    while holder=$(lock_holder "${APT_LOCKS[@]}") && [ -n "$holder" ]; do
        name=$(cat "/proc/$holder/comm" 2>/dev/null || echo unknown)
        [ $((SECONDS - began)) -lt "$APT_LOCK_WAIT_S" ] ||
            fail "apt is still locked after $APT_LOCK_WAIT_S s, by $name (process $holder):" \
                "wait for its end and run this again"
        if [ $((SECONDS - told)) -ge 30 ]; then
            told=$SECONDS
            note "apt is locked by $name (process $holder): waiting (for $((told - began)) s so far)"
        fi
        sleep 1
    done
}

# A power cut in the middle of apt leaves packages half set up, and apt refuses everything then.
finish_interrupted_packages() {
    [ -z "$(find /var/lib/dpkg/updates -type f 2>/dev/null)" ] && return
    quietly "packages that were interrupted" as_root \
        env DEBIAN_FRONTEND=noninteractive dpkg --configure -a --force-confdef --force-confold
}

has_a_route() {
    local destination mask
    # Destination and mask of all zeros; columns 2 and 8 of a table that begins with its heading.
    while read -r _ destination _ _ _ _ _ mask _; do
        [ "$destination $mask" = "00000000 00000000" ] && return 0
    done <"$ROUTES"
    # The kernel's own entry for what cannot be reached is on lo.
    awk '$1 ~ /^0+$/ && $2 == "00" && $NF != "lo" { found = 1 } END { exit !found }' \
        "$ROUTES_6" 2>/dev/null
}

# Before anything is changed: what is to be downloaded cannot come, or its certificates do not count.
require_network() {
    has_a_route || fail "this machine is connected to no network (it has no default route):" \
        "packages must be downloaded; connect it and run this again"
    wait_for_clock
}

# A Pi has no clock of its own: after its start it takes a while until the network has told it.
wait_for_clock() {
    local began=$SECONDS told=''
    while [[ $(date -u +%F) < $RELEASED ]]; do
        [ $((SECONDS - began)) -lt "$CLOCK_WAIT_S" ] ||
            fail "the clock says $(date -u +%F), which cannot be: certificates would be refused;" \
                "it is set from the network: timedatectl"
        [ -n "$told" ] || note "the clock says $(date -u +%F): waiting for the network to set it"
        told=yes
        sleep 1
    done
}

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
    wait_for_apt
    finish_interrupted_packages
    quietly "package lists" as_root "${APT[@]}" update
    wait_for_apt
    HINT='where packages do not fit together: sudo apt full-upgrade, then run this again' \
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

# --- the Python environment and what runs in a checkout -------------------------------------------

# -I: nothing but what is installed, whatever lies in the current directory.
python_version() { "$1" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }

is_right_python() {
    "$1" -I -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
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

# Certificates of the machine count, as they do for apt and pip; SSL_CERT_FILE beats them.
export UV_SYSTEM_CERTS=true UV_PYTHON_DOWNLOADS=never

# What uv may do at once on a machine with little memory, and for how long on a slow card: it would
# compile four files at a time on a Pi with four processors, and gives up after a minute. A /tmp in
# memory (Debian 13) is no place for downloads there.
suit_uv_to_this_machine() {
    local memory
    memory=$(memory_mb)
    export UV_COMPILE_BYTECODE_TIMEOUT=${UV_COMPILE_BYTECODE_TIMEOUT:-600}
    export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-120}
    [ "${memory:-0}" -lt 1100 ] || return 0
    export UV_CONCURRENT_BUILDS=1 UV_CONCURRENT_DOWNLOADS=4 UV_CONCURRENT_INSTALLS=2
    export TMPDIR=${TMPDIR:-/var/tmp}
    [ "$memory" -ge 600 ] || export UV_CONCURRENT_INSTALLS=1
}

# make_venv DIR PYTHON OPTION...: a virtual environment that sees what Debian's packages hold for
# Python, and nothing else from outside: what a user or root has once installed by hand would be in
# it for ever, over every upgrade.
make_venv() {
    local dir=$1 python=$2 packages
    shift 2
    "$python" -I -m venv --clear "$@" "$dir" &&
        packages=$("$dir/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))') &&
        printf '%s\n' "$DEBIAN_PYTHON" >"$packages/debian.pth"
}

is_closed_venv() {
    grep -qx 'include-system-site-packages = false' "$1/pyvenv.cfg" 2>/dev/null &&
        is_right_python "$1/bin/python"
}

# ensure_venv DIR PYTHON: such an environment, with pip.
ensure_venv() {
    local dir=$1 python=$2
    is_closed_venv "$dir" ||
        quietly "environment with Python $(python_version "$python")" make_venv "$dir" "$python"
}

# locked NAME: print what uv.lock holds of that package as pip wants it: its version and its hashes.
locked() {
    awk -v name="$1" '
        $0 == "[[package]]" { found = 0 }
        $0 == "name = \"" name "\"" { found = 1 }
        found && $1 == "version" { gsub(/"/, "", $3); printf "%s==%s", name, $3 }
        found && match($0, /sha256:[0-9a-f]+/) { printf " --hash=%s", substr($0, RSTART, RLENGTH) }
        END { print "" }' "$HERE/uv.lock"
}

# ensure_uv DIR: uv, from PyPI, in that environment, by the hash that uv.lock has.
ensure_uv() {
    local dir=$1 wanted version
    wanted=$(locked uv)
    version=${wanted%% *} version=${version#uv==}
    case $("$dir/bin/uv" --version 2>/dev/null || true) in
    "uv $version"*) return ;;
    esac
    "$dir/bin/python" -I -m pip --version >/dev/null 2>&1 ||
        quietly "pip" "$dir/bin/python" -I -m ensurepip --default-pip
    quietly "uv $version" fetch_uv "$dir" "$wanted"
}

fetch_uv() {
    "$1/bin/python" -I -m pip install --quiet --ignore-installed --disable-pip-version-check \
        --root-user-action=ignore --only-binary=:all: --no-deps --require-hashes \
        --requirement <(printf '%s\n' "$2")
}

# has_debian_builds PYTHON: whether Debian has built for it what PyPI has no wheels of.
has_debian_builds() {
    "$1" -I -c "import sys; sys.path.append('$DEBIAN_PYTHON'); import pyaudio, systemd.journal" \
        >/dev/null 2>&1
}

# install_locked UV DIR OPTION...: exactly what uv.lock names, checked by hash, into the environment.
# Only where the Python is not Debian's is something compiled.
install_locked() {
    local uv=$1 dir=$2 builds=()
    shift 2
    if has_debian_builds "$dir/bin/python"; then
        mapfile -t builds < <(printf -- '--no-install-package=%s\n' "${NOT_FROM_PYPI[@]}")
        builds+=(--no-build)
    fi
    UV_PROJECT_ENVIRONMENT=$dir "$uv" sync --project "$HERE" --frozen --python "$dir/bin/python" \
        "${builds[@]}" "$@"
}

require_checkout() {
    [ -e "$HERE/pyproject.toml" ] || fail "$HERE is no checkout of Parley: run install.sh in one"
}

# prepare_checkout SYNC-OPTION...: .venv here, ready to run.
prepare_checkout() {
    local venv=$HERE/.venv python
    require_checkout
    suit_uv_to_this_machine
    python=$(find_python /usr/bin/python3 python3 python3.13 python3.12 python3.11)
    ensure_venv "$venv" "$python"
    ensure_uv "$venv"
    if ! install_locked "$venv/bin/uv" "$venv" "$@" --check >/dev/null 2>&1; then
        say "Installing the Python packages of uv.lock (the first time takes a few minutes on a Pi)"
        quietly "Python packages" install_locked "$venv/bin/uv" "$venv" "$@"
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

# Several files of tests at a time, in the order of tests/conftest.py.
BESIDE_EACH_OTHER=(-n auto --dist loadfile --no-loadscope-reorder)

# The whole suite and its quick part run several files at a time; with options of pytest alone it
# runs what they say, as they say.
run_tests() {
    ensure_packages "${TEST_PACKAGES[@]}"
    prepare_checkout
    export GPIOZERO_PIN_FACTORY=mock
    # What Python compiles is kept, out of sight, for the processes that the tests start.
    export PYTHONPYCACHEPREFIX=$PWD/.venv/pycache
    unset PYTHONDONTWRITEBYTECODE
    case ${1:-} in
    '') set -- "${BESIDE_EACH_OTHER[@]}" ;;
    --quick) set -- "${BESIDE_EACH_OTHER[@]}" -m 'not real_time' "${@:2}" ;;
    esac
    say "pytest $*"
    exec .venv/bin/python -m pytest "$@"
}

# --- the appliance: what it needs, and what it asks for -------------------------------------------

require_root() {
    [ "$(id -u)" -eq 0 ] || fail "run it as root: sudo ./install.sh (or see ./install.sh --help)"
}

require_appliance_machine() {
    local architecture system
    architecture=$(dpkg --print-architecture 2>/dev/null) ||
        fail "this is no Debian or Raspberry Pi OS: the speaker can only be installed there"
    case $architecture in
    amd64 | arm64) ;;
    *) fail "the architecture is $architecture: a 64-bit system (arm64 or amd64) is needed;" \
        "a Raspberry Pi 3 or later takes the 64-bit image of Raspberry Pi OS" ;;
    esac
    # shellcheck disable=SC1090 # it is another one in the tests
    system=$(. "$OS_RELEASE" && printf '%s %s' "${ID:-}" "${VERSION_ID:-}")
    case $system in
    "debian 12" | "debian 13") ;;
    *) fail "this is '$system': Debian or Raspberry Pi OS 12 (bookworm) or 13 (trixie) is needed" ;;
    esac
    [ -d /run/systemd/system ] || fail "systemd does not run here: it is what starts the speaker"
}

# require_space DIRECTORY MB: there may be less where much of it is there already.
require_space() {
    local free_mb
    free_mb=$(df --output=avail -m "$1" | tail -n 1 | tr -d ' ')
    [ "$free_mb" -ge "$2" ] ||
        fail "the disk is full: only $free_mb MB are free in $1, $2 MB are needed"
}

# Quotes or the name of a variable around it, a line of something else, nothing at all.
# (No =~ with a count of {16,1024}: that alone takes 16 MB of memory.)
looks_like_a_key() {
    [ ${#1} -ge 16 ] && [ ${#1} -le 1024 ] && [[ $1 != *[!A-Za-z0-9._~+/-]* ]]
}

# The key never becomes an argument of a command: those can be seen by everybody.
KEY_TEXT=
ask_for_key() {
    while true; do
        printf 'Gemini API key (https://aistudio.google.com/apikey; Enter to do it later): '
        IFS= read -rs KEY_TEXT || KEY_TEXT=
        printf '\n'
        KEY_TEXT=${KEY_TEXT//[[:space:]]/}
        if [ -z "$KEY_TEXT" ] || looks_like_a_key "$KEY_TEXT"; then
            return
        fi
        warn "that cannot be a key: only letters, digits, _ and - are in one, without quotes"
    done
}

# A speaker that is lent tokens (live.token_url) needs no key.
borrows_tokens() {
    [ -r "$CONFIG" ] && grep -Eq "^[^#]*token_url:[[:space:]]*[\"']?http" "$CONFIG"
}

read_key() {
    local key_file=$1 unattended=$2
    if [ -n "$key_file" ]; then
        [ -r "$key_file" ] || fail "the key file $key_file cannot be read"
        KEY_TEXT=$(tr -d '[:space:]' <"$key_file")
        [ -n "$KEY_TEXT" ] || fail "the key file $key_file is empty"
        looks_like_a_key "$KEY_TEXT" || fail "what is in the key file $key_file cannot be a key:" \
            "it must hold that alone, without quotes or a name"
    elif [ -z "$unattended" ] && [ ! -s "$KEY" ] && [ -t 0 ] && ! borrows_tokens; then
        ask_for_key
    fi
}

# --- the appliance: what belongs to it besides a release ------------------------------------------

# The account is the speaker's own: it is given devices and a home, and --purge deletes it.
NOT_A_PERSONS=1000
require_own_account() {
    local id shell
    IFS=: read -r _ _ id _ _ _ shell < <(getent passwd parley || true) || return 0
    case $shell in
    */nologin | */false) [ "$id" -ge "$NOT_A_PERSONS" ] || return 0 ;;
    esac
    fail "there is a user 'parley' already (number $id, shell $shell), and it is a person's: the" \
        "speaker needs that name for itself; rename it as another user: sudo usermod -l NEW parley," \
        "sudo groupmod -n NEW parley"
}

ensure_user() {
    getent group parley >/dev/null || groupadd --system parley
    getent passwd parley >/dev/null || useradd --system --gid parley --no-create-home \
        --home-dir "$STATE_DIR" --shell /usr/sbin/nologin --comment 'Parley speaker' parley
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

refuse_config() {
    warn "$CONFIG does not suit this release (see above), and there are no last good settings to go" \
        "on with; mend it and run this again. Nothing was switched over: a speaker that runs goes on" \
        "as it is"
    exit 78
}

# What is left to do for the owner, said last.
ADVICE=()
# The file whose settings count: $CONFIG, or with a mistake in it a copy of the last good ones.
SETTINGS=

# recall RELEASE: print the last good settings, as far as this release takes them; what it does not
# take is said. By the speaker's own user, whose file it is.
recall() {
    runuser -u parley -- env -C / "$1/.venv/bin/python" -I - "$STATE_DIR" "$CONFIG" <<'PYTHON'
import logging
import sys
from pathlib import Path

from device.build.checked_config import parse
from device.config import changes
from device.config.last_good import LastGood

logging.basicConfig(format="    %(message)s")
settings = LastGood(Path(sys.argv[1]), Path(sys.argv[2]), parse).recall()
if settings is None:
    sys.exit(1)
print(changes(settings), end="")
PYTHON
}

# check_config RELEASE: with a mistake in the file a speaker goes on with what was in force last, as
# it does at any other start; so does an upgrade.
check_config() {
    "$1/.venv/bin/parley" config check "$CONFIG" >/dev/null && return
    SETTINGS=$(mktemp)
    recall "$1" >"$SETTINGS" || refuse_config
    warn "$CONFIG has a mistake (see above): the speaker goes on with the settings that were in" \
        "force last"
    ADVICE+=("$CONFIG has a mistake, and the last good settings are in force: parley config check;" \
"mend it, then sudo systemctl reload parley")
}

# Each file beside the key is handed over to the speaker: LoadCredential= in systemd.exec(5). One
# whose name systemd does not take, or more than it takes, would keep the speaker from starting.
check_credentials() {
    local odd bytes
    [ -d "$KEY_DIR" ] || return 0
    odd=$(find "$KEY_DIR" -type f -printf '%P\n' | LC_ALL=C grep -am 1 '[^ -9;-~]' | printable || true)
    [ -z "$odd" ] || fail "$KEY_DIR/$odd: systemd hands over no file of such a name, and the speaker would" \
        "not start: name it with small letters, digits, - and _, or move it elsewhere"
    bytes=$(find "$KEY_DIR" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }')
    [ "$bytes" -le "$MOST_CREDENTIALS_BYTES" ] || fail "the files in $KEY_DIR have $bytes bytes," \
        "and the speaker would not start: leave only tokens there, at most" \
        "$MOST_CREDENTIALS_BYTES bytes"
}

# Config and key are the owner's: what is there already stays. Every key has a default, so a file
# that an older release brought says all that a newer one needs.
ensure_config() {
    local release=$1
    if [ -e "$CONFIG" ]; then
        note "$CONFIG: kept"
        check_config "$release"
    else
        install -D -m 0644 "$release/config/parley.yaml" "$CONFIG"
        note "$CONFIG: written, all defaults"
    fi
    check_credentials
    install -D -m 0644 "$release/systemd/parley.tmpfiles" "$TMPFILES"
    systemd-tmpfiles --create "$TMPFILES"
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

# camera_sandbox RELEASE: print what the service's sandbox must allow for the configured camera, or
# nothing where none is: as `parley doctor --fix` writes it.
camera_sandbox() {
    (cd / && "$1/.venv/bin/python" -I - "${SETTINGS:-$CONFIG}") <<'PYTHON'
import sys
from pathlib import Path

from device.config import load
from device.doctor.camera import sandbox_of

print(sandbox_of(load(Path(sys.argv[1]))), end="")
PYTHON
}

# The sandbox is opened for that camera only, and the user put into its group only where there is one:
# nobody who has no camera has a speaker that could use one. Both count from the next start on.
SANDBOX_CHANGED=
ensure_camera() {
    local allowed
    allowed=$(camera_sandbox "$1")
    if [ -z "$allowed" ]; then
        remove_camera
        return
    fi
    if getent group video >/dev/null && ! id -nG parley | grep -qw video; then
        usermod --append --groups video parley
        SANDBOX_CHANGED=yes
    fi
    printf '%s\n' "$allowed" | cmp --silent - "$CAMERA" && return
    mkdir -p "${CAMERA%/*}"
    printf '%s\n' "$allowed" >"$CAMERA.new"
    mv "$CAMERA.new" "$CAMERA"
    note "$CAMERA: written, for the camera"
    systemctl daemon-reload
    SANDBOX_CHANGED=yes
}

remove_camera() {
    [ -e "$CAMERA" ] || return 0
    rm -f "$CAMERA"
    rmdir --ignore-fail-on-non-empty "${CAMERA%/*}"
    note "$CAMERA: removed, no camera is configured"
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
    SANDBOX_CHANGED=yes
}

# A radio that sleeps between packets, as it does on Raspberry Pi OS, answers up to two seconds late.
# A connection that asks for something else itself gets that.
ensure_wifi_awake() {
    local interface
    interface=$(awk 'NR > 2 { sub(/:$/, "", $1); print $1; exit }' "$WIRELESS" 2>/dev/null || true)
    [ -n "$interface" ] && [ -d "${WIFI_AWAKE%/*}" ] && [ ! -e "$WIFI_AWAKE" ] || return 0
    printf '[connection]\nwifi.powersave = 2\n' >"$WIFI_AWAKE"
    chmod 0644 "$WIFI_AWAKE"
    iw dev "$interface" set power_save off 2>/dev/null || true
    note "$WIFI_AWAKE: written, $interface does not sleep any more"
}

remove_udev() {
    [ -e "$UDEV_RULES" ] || return 0
    rm -f "$UDEV_RULES"
    reload_udev
}

# board_facts RELEASE [ROOT]: print what this machine shows of the board, a word and a sentence on
# each line: "board WHICH AND WHY", "advice WHAT TO DO", and "need spi" or "need i2c" for what the
# header of a Pi must offer for its LEDs and its sound chip, and config.txt does not switch on.
board_facts() {
    (cd / && "$1/.venv/bin/python" -I - "${SETTINGS:-$CONFIG}" "${2:-/}") <<'PYTHON'
import sys
from pathlib import Path

from device.board.kernel import read_evidence
from device.board.profiles import LedDriver
from device.build.boards import Boards
from device.config import load

SDA, SCL = 2, 3
root = Path(sys.argv[2])
found = Boards(root).finding(load(Path(sys.argv[1])), None)
boot = read_evidence(root).boot
print("board", f"{found.board.label}: {found.why}")
if boot is not None and not boot.spi and found.board.led_driver is LedDriver.APA102:
    print("need spi")
if boot is not None and not boot.i2c and {SDA, SCL} <= set(found.board.taken_pins):
    print("need i2c")
for line in found.advice:
    if "SPI" not in line or (boot is not None and boot.spi):
        print("advice", line)
PYTHON
}

switch_bus_on() {
    local line=dtparam=$1=on
    [ "$1" = i2c ] && line=dtparam=i2c_arm=on
    [ -e "$BOOT_CONFIG.before-parley" ] || cp "$BOOT_CONFIG" "$BOOT_CONFIG.before-parley"
    if grep -q "^#$line\$" "$BOOT_CONFIG"; then
        sed "s/^#$line\$/$line/" "$BOOT_CONFIG" >"$BOOT_CONFIG.new"
    else
        { cat "$BOOT_CONFIG" && printf '\n[all]\n%s\n' "$line"; } >"$BOOT_CONFIG.new"
    fi
    # A power cut must not leave a Pi that does not boot.
    sync "$BOOT_CONFIG.new"
    mv "$BOOT_CONFIG.new" "$BOOT_CONFIG"
    sync -f "$BOOT_CONFIG"
}

# Which board it is, and what keeps it from working, to be said last. The LEDs of a HAT hang on SPI,
# which a fresh Raspberry Pi OS has switched off.
ensure_board() {
    local what told
    is_raspberry_pi || return 0
    while read -r what told; do
        case $what in
        board) note "$told" ;;
        advice) ADVICE+=("$told") ;;
        need)
            switch_bus_on "$told"
            note "$BOOT_CONFIG: ${told^^} switched on for the board, counts from the next boot"
            REBOOT=yes
            ;;
        esac
    done < <(board_facts "$1")
}

# configured_language RELEASE: print the BCP-47 tag that the speaker is set to, or nothing.
configured_language() {
    "$1/.venv/bin/parley" config show "${SETTINGS:-$CONFIG}" |
        sed -n '/^live:/,/^[^ ]/s/^  language: "\{0,1\}\([A-Za-z0-9-]*\).*/\1/p' |
        grep -vx null || true
}

# make_clips RELEASE: as the speaker's own user, so that it may replace them.
make_clips() {
    local release=$1 language
    language=$(configured_language "$release")
    # -I: nothing but the release's own modules.
    install -d -o parley -g parley -m 0750 "$STATE_DIR" &&
        runuser -u parley -- env -C "$STATE_DIR" "$release/.venv/bin/python" -I \
            -m device.announcements.clips "$STATE_DIR/clips" ${language:+"$language"}
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

# --- the appliance: releases ----------------------------------------------------------------------

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
    export UV_CACHE_DIR=${UV_CACHE_DIR:-$CACHE/uv}
    # Files of its own: a bad block of the card must not be in the release before as well.
    export UV_LINK_MODE=copy
    require_network
    has_debian_builds "$python" || fail "$python cannot load what these packages hold: ${BUILD_PACKAGES[*]};" \
        "put them in order with: sudo apt-get install --reinstall python3-pyaudio python3-systemd"
    suit_uv_to_this_machine
    ensure_venv "$uv" "$python"
    ensure_uv "$uv"
    BUILDING=$release
    rm -rf "$release"
    mkdir -p "$release"
    cp -R "$HERE"/{config,systemd,install.sh,README.md,LICENSE} "$release/"
    make_venv "$release/.venv" "$python" --without-pip
    quietly "Python packages" install_locked "$uv/bin/uv" "$release/.venv" --no-dev --no-editable \
        --compile-bytecode
    chmod -R a+rX,go-w "$release"
    try_out "$release"
    # A power cut from here on finds all of it on the card, or no .complete.
    sync -f "$release"
    touch "$release/.complete"
    BUILDING=
}

# try_out RELEASE: load and run all that is compiled in it, one package after the other. A wheel for
# another processor than this one ends by a signal: better here than at the start of the speaker.
try_out() {
    local told code=0
    told=$("$1/.venv/bin/python" -I -m device.doctor.compiled 2>&1) || code=$?
    [ "$code" -ne 0 ] || return 0
    [ -z "$told" ] || printf '%s\n' "$told" | tail -n 5 | printable >&2
    case $code in
    132) fail "a package of this release uses instructions that this processor has not (signal ILL):" \
        "which one is said above; nothing was switched over; please report that line" ;;
    *) fail "this release does not run here (exit code $code; the end of what it said is above);" \
        "nothing was switched over" ;;
    esac
}

# replace_link TARGET LINK: at no moment is the link missing.
replace_link() {
    ln -sfn "$1" "$2.new"
    mv -T "$2.new" "$2"
}

# Nothing to do for a speaker that runs what is installed: it may be in a conversation.
runs_already() {
    local release=$1
    systemctl --quiet is-active parley.service && [ -z "$KEY_TEXT$SANDBOX_CHANGED" ] &&
        [ "$(readlink -f "$PREFIX/current")" = "$release" ] &&
        cmp --silent "$release/systemd/parley.service" "$UNIT"
}

# The release writes both from its own command line; an older one that cannot has none.
ensure_manual() {
    local parley=$1/.venv/bin/parley
    mkdir -p "${MAN_PAGE%/*}" "${COMPLETION%/*}"
    "$parley" man >"$MAN_PAGE" 2>/dev/null || rm -f "$MAN_PAGE"
    "$parley" completion bash >"$COMPLETION" 2>/dev/null || rm -f "$COMPLETION"
}

remove_manual() {
    rm -f "$MAN_PAGE" "$COMPLETION"
    rmdir --ignore-fail-on-non-empty "${MAN_PAGE%/*}" "${COMPLETION%/*}" "${COMPLETION%/*/*}" \
        2>/dev/null || true
}

# put_in_force RELEASE: link, unit and what belongs to them; nothing is started.
put_in_force() {
    local release=$1
    replace_link "releases/${release##*/}" "$PREFIX/current"
    replace_link "$PREFIX/current/.venv/bin/parley" /usr/local/bin/parley
    install -m 0644 "$release/systemd/parley.service" "$UNIT.new"
    mv "$UNIT.new" "$UNIT"
    ensure_udev "$release"
    ensure_manual "$release"
    sync -f "$PREFIX"
    systemctl daemon-reload
    systemctl --quiet enable parley.service
    systemctl reset-failed parley.service 2>/dev/null || true
}

# prove RELEASE: it has become ready, so it is the one to go back to, by its own means. Until then
# those of the release before it are there.
prove() {
    local release=$1
    replace_link "releases/${release##*/}" "$PROVEN"
    if [ -e "$release/systemd/${RECOVERY##*/}" ]; then
        install -m 0644 "$release/systemd/${RECOVERY##*/}" "$RECOVERY.new"
        mv "$RECOVERY.new" "$RECOVERY"
        systemctl daemon-reload
        systemctl --quiet enable "${RECOVERY##*/}"
    fi
    sync -f "$PREFIX"
    rm -f "$UNPROVEN_MARK"
}

# answers: whether the speaker answers, once it is ready. From a cold card the command alone takes
# seconds, and the speaker has other things to load as well.
answers() {
    local began=$SECONDS
    until timeout 10 "$PREFIX/current/.venv/bin/parley" status >/dev/null 2>&1; do
        [ $((SECONDS - began)) -lt "$ANSWERS_WITHIN_S" ] &&
            systemctl --quiet is-active parley.service || return 1
        sleep 1
    done
}

# Whether it is up, although it cannot hear: it has told a fault, and waits for the end of it.
waits_with_a_fault() {
    timeout 10 "$PREFIX/current/.venv/bin/parley" status --json 2>/dev/null | grep -q '"state": *"fault"'
}

# restart_service: print how it ended: ready, waiting (for a microphone), starting or failed. The
# start job ends with READY=1 or with the process, so nothing is asked twice. Where there is no
# microphone it ends with READY=1 too, after half a minute.
restart_service() {
    local code=0
    timeout "$LOOK_AFTER_S" systemctl restart parley.service >/dev/null 2>&1 || code=$?
    if [ "$code" -eq 124 ] && ! waits_with_a_fault; then
        code=0
        # The job goes on; this waits for the same one.
        timeout "$((READY_WITHIN_S - LOOK_AFTER_S))" \
            systemctl start parley.service >/dev/null 2>&1 || code=$?
    fi
    case $code in
    0)
        if ! answers; then
            echo failed
        elif waits_with_a_fault; then
            echo waiting
        else
            echo ready
        fi
        ;;
    124) if waits_with_a_fault; then echo waiting; else echo starting; fi ;;
    *) echo failed ;;
    esac
}

# What to take back when this script ends before its time, whatever ends it.
BUILDING='' UNPROVEN='' PREVIOUS='' REBOOT=''
take_back() {
    local code=$?
    trap - ERR
    set +e
    [ -z "$BUILDING" ] || rm -rf "$BUILDING"
    [ -z "$SETTINGS" ] || rm -f "$SETTINGS"
    [ -z "$UNPROVEN" ] || roll_back
    let_go
    exit "$code"
}

# The release before is put in force again; the one that failed is removed, so that a next attempt
# builds it anew.
roll_back() {
    local broken=$UNPROVEN state
    UNPROVEN=
    if [ -z "$PREVIOUS" ]; then
        return
    fi
    warn "release ${broken##*/} does not become ready; the last it said:"
    journalctl --quiet --no-pager --output=cat --lines=8 --unit=parley.service | printable |
        sed 's/^/    /' >&2
    say "Going back to release ${PREVIOUS##*/}"
    put_in_force "$PREVIOUS"
    rm -f "$UNPROVEN_MARK"
    state=$(restart_service)
    [ "$broken" = "$PREVIOUS" ] || rm -rf "$broken"
    note "${PREVIOUS##*/}: $state"
}

# switch_to RELEASE: print nothing, set STATE; ends the script after it has gone back.
STATE=
switch_to() {
    local release=$1 heard_before='' began
    if systemctl --quiet is-active parley.service && ! waits_with_a_fault; then heard_before=yes; fi
    PREVIOUS=$(readlink -f "$PREFIX/current" || true)
    if [ ! -e "${PREVIOUS:-/nowhere}/.complete" ] || [ "$PREVIOUS" = "$release" ]; then PREVIOUS=; fi
    UNPROVEN=$release
    if [ -n "$PREVIOUS" ]; then
        replace_link "releases/${PREVIOUS##*/}" "$PROVEN"
        printf '%s\n' "$PREVIOUS" "$release" >"$UNPROVEN_MARK"
    fi
    put_in_force "$release"
    began=$SECONDS
    begin "${release##*/}"
    STATE=$(restart_service)
    begun
    note "${release##*/}: $STATE after $((SECONDS - began)) s"
    # A release that cannot hear with a microphone that its predecessor heard with is no better.
    case $STATE$heard_before in
    ready* | waiting)
        UNPROVEN=
        prove "$release"
        ;;
    *)
        if [ -n "$PREVIOUS" ]; then
            roll_back
            fail "the upgrade to ${release##*/} failed; ${PREVIOUS##*/} is in force"
        fi
        UNPROVEN=
        ;;
    esac
}

# What parley-recover.service does at the boot after a power cut that came between a release's
# being put in force and its becoming ready: nobody saw whether it works. It is run by the script of
# the release that is gone back to.
recover() {
    local marked unproven
    require_root
    stand_apart
    exec 9>"$LOCK"
    flock -n 9 || return 0
    [ -e "$UNPROVEN_MARK" ] || return 0
    mapfile -t marked <"$UNPROVEN_MARK"
    PREVIOUS=${marked[0]:-} unproven=${marked[1]:-}
    if [ -e "${PREVIOUS:-/nowhere}/.complete" ]; then
        put_in_force "$PREVIOUS"
        if [ -n "$unproven" ] && [ "$unproven" != "$PREVIOUS" ]; then rm -rf "$unproven"; fi
        warn "the power was cut during an upgrade: release ${PREVIOUS##*/} is in force again"
    fi
    rm -f "$UNPROVEN_MARK"
}

# Two releases stay: the one in force and the one before it.
remove_old_releases() {
    local current release kept=0
    current=$(readlink -f "$PREFIX/current")
    find "$PREFIX/releases" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn |
        cut -d ' ' -f 2- | while IFS= read -r release; do
        if [ "$release" = "$current" ] || [ "$release" = "$PREVIOUS" ]; then
            continue
        fi
        # Run again with the same release: the newest other one is the one before.
        if [ -z "$PREVIOUS" ] && [ "$kept" -eq 0 ] && [ -e "$release/.complete" ]; then
            kept=1
        else
            rm -rf "$release"
        fi
    done
}

# --- the appliance: all of it ---------------------------------------------------------------------

# A sound card that somebody else plays to or records from can be taken by nobody else: on a desktop,
# the sound server of whoever has logged in.
name_holders() {
    local descriptor process owner last=''
    while read -r descriptor; do
        process=${descriptor#/proc/} process=${process%%/*}
        owner=$(stat --format=%U "/proc/$process" 2>/dev/null) || continue
        if [ "$owner" = parley ] || [ "$process" = "$last" ]; then
            continue
        fi
        last=$process
        warn "$(printable <"/proc/$process/comm") of user $owner (process $process) holds a sound card" \
            "open: end it, or start this machine without a desktop (sudo raspi-config, System, Boot)"
    done < <(find /proc/[0-9]*/fd -lname "$SOUND_CARDS/pcm*" 2>/dev/null)
}

summary() {
    local state=$1 release=$2 status advice
    status=$(systemctl show --property=StatusText --value parley.service | printable)
    say "Parley ${release##*/} is ${state}${status:+: $status}"
    case $state in
    ready) ;;
    waiting | starting)
        name_holders
        warn "it cannot hear yet; why: parley status; journalctl -u parley -n 20"
        ;;
    *) warn "it did not start; why: journalctl -u parley -n 20; sudo parley config check" ;;
    esac
    if [ ! -s "$KEY" ] && ! borrows_tokens; then
        note "It has no key yet    sudo ./install.sh --key-file FILE"
    fi
    note "What it does now     parley status      (parley watch: live)"
    note "Is all well?         sudo parley doctor"
    note "Settings             $CONFIG, then sudo systemctl reload parley"
    note "Journal              journalctl -u parley -f"
    note "Upgrade              git pull && sudo ./install.sh"
    note "Remove it            sudo $PREFIX/current/install.sh --uninstall"
    if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        note "$SUDO_USER may use the parley command without sudo after the next login."
    fi
    note "All of it took $SECONDS s."
    # Last, where it is seen.
    for advice in "${ADVICE[@]}"; do
        warn "still to do: $advice"
    done
    [ -z "$REBOOT" ] || warn "still to do: reboot once, for the board's lights: sudo reboot"
}

# tell_time: what it takes the first time, before it begins.
tell_time() {
    local model minutes=3
    model=$(pi_model)
    case $model in
    *"Pi 5"* | *"Module 5"*) minutes=2 ;;
    *"Pi 4"* | *"Module 4"*) minutes=4 ;;
    *"Pi 3"* | *"Module 3"*) minutes=8 ;;
    *"Zero 2"*) minutes=15 ;;
    esac
    note "${model:-this machine}, $(memory_mb) MB of memory: about $minutes minutes the first time"
    note "It goes on when the connection is lost; what it says is also in $LOG"
}

install_appliance() {
    local key_file=$1 unattended=$2 python release
    require_root
    require_checkout
    require_appliance_machine
    require_own_account
    umask 022
    lock_others_out
    trap take_back EXIT
    read_key "$key_file" "$unattended"
    keep_going
    stand_apart
    [ -e "$PREFIX/current" ] || { require_space /var "$VAR_MB" && require_space /opt "$OPT_MB"; }
    [ -e "$PREFIX/current" ] || tell_time
    [ -z "$(missing_of "${APPLIANCE_PACKAGES[@]}")" ] || require_network
    ensure_packages "${APPLIANCE_PACKAGES[@]}"
    ensure_gpio
    # Only the system's Python: the unit's sandbox hides home directories.
    python=$(find_python /usr/bin/python3)
    release=$PREFIX/releases/$(release_name "$python")
    if [ -e "$release/.complete" ]; then
        say "Release ${release##*/} is there already"
        touch "$release"
    else
        say "Building release ${release##*/}"
        require_space /opt "$((OPT_MB / 2))"
        build_release "$release" "$python"
    fi
    say "User, configuration, key"
    ensure_user
    ensure_config "$release"
    ensure_camera "$release"
    ensure_wifi_awake
    ensure_board "$release"
    ensure_clips "$release"
    if runs_already "$release"; then
        say "parley.service runs it already"
        ensure_udev "$release"
        STATE=ready
    else
        say "Starting parley.service"
        switch_to "$release"
    fi
    remove_old_releases
    summary "$STATE" "$release"
    [ "$STATE" != failed ] || exit 1
}

# Only the account that ensure_user has made; one that cannot be deleted now keeps nothing else.
remove_user() {
    local id name told
    if IFS=: read -r _ _ id _ name _ < <(getent passwd parley || true); then
        if [ "$name" != 'Parley speaker' ] || [ "$id" -ge "$NOT_A_PERSONS" ]; then
            warn "user parley stays: it was not made by this script"
            return 0
        fi
        told=$(userdel parley 2>&1) || warn "user parley stays: $told"
    fi
    if getent group parley >/dev/null; then
        told=$(groupdel parley 2>&1) || warn "group parley stays: $told"
    fi
}

uninstall() {
    local purge=$1
    require_root
    stand_apart
    lock_others_out
    if [ -d /run/systemd/system ]; then
        systemctl disable --now --quiet parley.service 2>/dev/null || true
        systemctl reset-failed parley.service 2>/dev/null || true
    fi
    remove_camera >/dev/null
    rm -f "$UNIT" "$RECOVERY" "$TMPFILES" "$WIFI_AWAKE"
    rm -f /etc/systemd/system/multi-user.target.wants/{"${UNIT##*/}","${RECOVERY##*/}"}
    remove_udev
    remove_manual
    [ -d /run/systemd/system ] && systemctl daemon-reload
    case $(readlink /usr/local/bin/parley 2>/dev/null || true) in
    "$PREFIX"/*) rm -f /usr/local/bin/parley ;;
    esac
    rm -rf "$PREFIX" "$CACHE"
    if [ -n "$purge" ]; then
        rm -rf /etc/parley "$STATE_DIR" /run/parley "$UNIT.d" "$BOOT_CONFIG.before-parley" "$LOG"
        remove_user
        say "Parley is removed, with its configuration, key and state"
    else
        say "Parley is removed; /etc/parley and $STATE_DIR stay (--purge removes them too)"
    fi
    note "Packages that came from apt stay."
}

# --- what was asked for ---------------------------------------------------------------------------

main() {
    case ${1:-} in
    --demo) shift && demo "$@" ;;
    --test) shift && run_tests "$@" ;;
    --recover)
        recover
        exit
        ;;
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
    if [ -n "$uninstall" ]; then
        uninstall "$purge"
    else
        install_appliance "$key_file" "$unattended"
    fi
}

# On one line: a script that is written over while it runs (git pull) is not read any further. (With
# `&&` no failure in main would end it; eval, or shellcheck takes what traps call for unreachable.)
main "$@"; eval exit
