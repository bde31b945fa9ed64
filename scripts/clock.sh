# Sourced with $FAKETIME set (+400d): moves the clock of Node's processes by libfaketime; all other programs keep the machine's.
LD_PRELOAD=$(find /usr/lib -path '*faketime/libfaketimeMT.so.1' 2>/dev/null | head -n 1)
[ -n "$LD_PRELOAD" ] || { echo 'no libfaketime here: sh scripts/setup.sh faketime' >&2; exit 1; }
# Timers count on the monotonic clock, which stays as it is.
export LD_PRELOAD FAKETIME FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=0 FAKETIME_ONLY_CMDS=node
