#!/bin/sh
# Runs the built-in guest in a jail, shows that jail from outside, and checks that nothing is left
# behind. Takes the path of skep. What it makes lies in a temporary directory of its own.
set -eu
skep=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")

tmp=$(mktemp -d)
export SKEP_CONFIG_DIR="$tmp/config" SKEP_STATE_DIR="$tmp/state" SKEP_RUN_DIR="$tmp/run"
finish() {
	"$skep" down --all --force >/dev/null 2>&1 || :
	"$skep" sweep >/dev/null 2>&1 || :
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

title() { printf '\n== %s\n' "$*"; }
fail() { printf 'demo: FAILED: %s\n' "$*"; exit 1; }

# The picture of the host: every process of skep or of a hypervisor, all mounts, all network links,
# skep's control groups, and the files that it keeps while a cell runs. What a cell remembers on
# purpose (its logs, its last state, facts about the host) is in the state directory and no part.
picture() {
	for p in /proc/[0-9]*; do
		exe=$(readlink "$p/exe" 2>/dev/null) || continue
		case $exe in
		"$skep" | */qemu-system-*) echo "process ${p#/proc/} $exe" ;;
		esac
	done
	# A jailed hypervisor's /proc/PID/exe leads nowhere; it is known by its name.
	for p in /proc/[0-9]*; do
		read -r name 2>/dev/null < "$p/comm" || continue
		case $name in qemu-system* | skep*) echo "process ${p#/proc/} ($name)" ;; esac
	done
	sed 's/^\([0-9]*\) [0-9]* [0-9:]* /mount /' /proc/self/mountinfo
	if command -v ip >/dev/null; then
		ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
	fi
	find /sys/fs/cgroup -type d -path '*/skep*' 2>/dev/null | sed 's/^/cgroup /'
	find "$tmp/run/cells" "$tmp/run/slots" ! -type d 2>/dev/null | sed 's/^/file /'
	return 0
}
snap() { picture | sort -u > "$tmp/$1"; }

# The cells of this demo have user numbers of their own, so that they can be told from others'.
if [ "$(id -u)" = 0 ] && [ -z "${SKEP_UID_BASE:-}" ]; then
	SKEP_UID_BASE=$((2100100000 + $$ % 40 * 1000))
	export SKEP_UID_BASE
fi
base=${SKEP_UID_BASE:-0}

# other WHAT REST: whether a line of the picture is certainly not this demo's.
other() {
	case $1 in
	process)
		p=/proc/${2%% *}
		u=$(sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "$p/status" 2>/dev/null)
		[ -n "$u" ] || return 0 # it has ended
		me=$(id -u)
		if [ "$me" = 0 ]; then
			# Hypervisors have numbers of the range, skep itself is root's.
			[ "$u" -lt "$base" ] || [ "$u" -gt $((base + 999)) ] || return 1
			[ "$u" = 0 ] || return 0
		else
			# Without root they have this user's number, or one of /etc/subuid.
			if [ "$u" != "$me" ]; then
				[ "$u" -ge 65536 ] && [ "$u" -lt 2100000000 ] && return 1
				return 0
			fi
		fi
		# A keeper's environment has this demo's directories, a hypervisor's is empty; what has
		# another one is another's.
		env=$(tr '\0' '\n' 2>/dev/null < "$p/environ") || return 1
		[ -n "$env" ] && ! echo "$env" | grep -q "^SKEP_RUN_DIR=$tmp/" ;;
	cgroup)
		n=${2##*/}
		case $n in
		skep) [ -n "$(find "$2" -mindepth 1 -type d 2>/dev/null)" ] ;;
		*[!0-9]*) return 1 ;;
		*) [ "$n" -lt "$base" ] || [ "$n" -gt $((base + 999)) ] ;;
		esac ;;
	*) return 1 ;;
	esac
}

snap before

# Facts about this host are found out once and remembered; doctor does that here, so that the
# start below is one like all later ones. It also tries KVM with the built-in guest.
title "what this host has: skep doctor"
"$skep" doctor || fail "this host cannot run cells; the lines above say what would fix it"

title "a guest in a jail: echo q | skep run hello"
echo q | "$skep" run hello > "$tmp/greeting" || fail "skep run hello: status $?"
tr -d '\r' < "$tmp/greeting"
grep -q '^hello from' "$tmp/greeting" || fail "the guest did not greet"

title "the same in the background: skep up hello; skep ps"
"$skep" up hello
"$skep" ps | sed -n '1p; /^hello /p'
pid=$("$skep" show hello --json | sed -n 's/^  "pid": \([1-9][0-9]*\),*$/\1/p' | head -n 1)
[ -n "$pid" ] || fail "skep show names no hypervisor"

title "what skep says of it: skep show hello"
"$skep" show hello

title "what the kernel says of it: /proc/$pid"
proc=/proc/$pid
bad=
# row WHAT SEEN WANTED: prints one line and remembers what is not as it should be. A wanted value
# of - is only shown.
row() {
	mark=ok
	if [ "$3" = - ]; then mark=' '
	elif [ "$2" != "$3" ]; then mark="WANTED $3"; bad="$bad
  $1: $2, wanted $3"
	fi
	printf '  %-48s %-24s %s\n' "$1" "$2" "$mark"
}
status() { sed -n "s/^$1:[[:space:]]*//p" "$proc/status" | tr '\t' ' '; }
uid=$(status Uid | cut -d' ' -f1)
row "user (Uid)" "$(status Uid)" "$uid $uid $uid $uid"
if [ "$(id -u)" = 0 ]; then
	row "supplementary groups (Groups)" "$(status Groups | tr -d ' ')" ""
	others=0
	for p in /proc/[0-9]*; do
		[ "$p" = "$proc" ] && continue
		u=$(sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "$p/status" 2>/dev/null) || continue
		[ "$u" = "$uid" ] && others=$((others + 1))
	done
	row "other processes with this uid" "$others" 0
fi
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	row "capabilities ($set)" "$(status $set)" 0000000000000000
done
row "no new privileges (NoNewPrivs)" "$(status NoNewPrivs)" 1
row "system call filter (Seccomp)" "$(status Seccomp)" 2
row "filters (Seccomp_filters)" "$(status Seccomp_filters)" -
# Who is not root may look only into processes of its own uid.
if readlink "$proc/ns/user" >/dev/null 2>&1; then
	for ns in user mnt pid net ipc uts cgroup; do
		same=private
		[ "$(readlink "$proc/ns/$ns")" = "$(readlink "/proc/self/ns/$ns")" ] && same="the host's"
		row "namespace $ns" "$same" private
	done
	row "files accessible (/proc/PID/root)" "$(find "$proc/root/" -xdev ! -type d 2>/dev/null | wc -l | tr -d ' ')" 0
	row "mounts (/proc/PID/mountinfo)" "$(wc -l < "$proc/mountinfo" | tr -d ' ')" 1
	row "memory writable and executable (/proc/PID/maps)" "$(grep -c '^[^ ]* .wx' "$proc/maps" || :)" 0
	# An ordinary user's cell with a number of its own shows these to that number only; the audit
	# below looks at them from inside the cell's user namespace, which is this user's.
	if [ -r "$proc/environ" ] && [ -r "$proc/fd" ]; then
		row "environment, bytes (/proc/PID/environ)" "$(wc -c < "$proc/environ" | tr -d ' ')" 0
		row "open descriptors (/proc/PID/fd)" "$(find "$proc/fd" -type l | wc -l | tr -d ' ')" -
		find "$proc/fd" -type l | sort -t/ -k5n | while read -r fd; do
			printf '      %3s %s\n' "${fd##*/}" "$(readlink "$fd")"
		done
	else
		echo "  (environment and descriptors: see environ and descriptors in the audit below)"
	fi
else
	echo "  (namespaces, files, memory and descriptors are for root to see: run this as root)"
fi
row "core file (Max core file size)" "$(sed -n 's/^Max core file size *\([^ ]*\) .*/\1/p' "$proc/limits" 2>/dev/null)" 0
[ -z "$bad" ] || fail "the jail is not what it should be:$bad"

title "the whole of it against the plan: skep audit hello"
"$skep" audit hello || fail "the audit: status $?"

title "and gone again: skep down hello"
"$skep" down hello
"$skep" log hello | tr -d '\r' | sed 's/^/  its console said: /'

# A dying process stays in sight for a moment.
title "the host before and after"
# What was left behind stays; what comes and goes meanwhile is somebody else's.
for try in 1 2 3 4 5 6 7 8 9 10; do
	snap after
	comm -13 "$tmp/before" "$tmp/after" > "$tmp/now"
	[ "$try" = 1 ] && cp "$tmp/now" "$tmp/added"
	comm -12 "$tmp/added" "$tmp/now" > "$tmp/still"
	mv "$tmp/still" "$tmp/added"
	[ -s "$tmp/added" ] || break
	sleep 0.5
done
for what in process mount link cgroup file; do
	printf '  %-10s %4d before, %4d after\n' "$what" "$(grep -c "^$what " "$tmp/before" || :)" "$(grep -c "^$what " "$tmp/after" || :)"
done
# What is new and belongs to this demo, or to nobody who can be named, was left behind. What another
# skep on this machine started meanwhile is its own affair, and is shown.
left=
while read -r what rest; do
	if other "$what" "$rest"; then
		echo "  another's, not of this demo: $what $rest"
	else
		echo "  ADDED: $what $rest"
		left=yes
	fi
done < "$tmp/added"
[ -z "$left" ] || fail "something was left behind"
[ "$(id -u)" = 0 ] || echo "  (not root: 'skep doctor' above says which layers that costs)"
echo
echo "nothing left behind"
