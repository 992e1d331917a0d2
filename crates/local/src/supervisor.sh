# Runs a server and stops it when whoever started this lets go of standard input, by closing it or
# by ending in any way at all. Then it removes the server's throw-away directory.
#
# Arguments: the signal that stops the server in order, seconds until it is killed, its log, the
# directory to remove at the end or nothing, and the server's command.
# Input: lines of a number and a signal to send, or of a number and "keep".
# Output: "started PID"; for each line of input the number and "sent" or "gone"; "exited STATUS".

stop_signal=$1 grace_seconds=$2 log=$3 throw_away=$4
shift 4
exec 3<&0 </dev/null

"$@" 3<&- >>"$log" 2>&1 &
server=$!
# Nobody may be left to read this; that must not end the work.
trap '' PIPE
echo "started $server"

(
    while read -r number signal <&3; do
        if kill -s "$signal" "$server"; then echo "$number sent"; else echo "$number gone"; fi
    done
    kill -s CONT "$server"
    kill -s "$stop_signal" "$server"
    tenths=$((grace_seconds * 10))
    while [ "$tenths" -gt 0 ] && kill -0 "$server"; do
        sleep 0.1
        tenths=$((tenths - 1))
    done
    kill -s KILL "$server"
) 2>/dev/null &
reader=$!

wait "$server" 2>/dev/null
status=$?
# From here on the server's number may belong to another process: nothing is sent to it any more.
kill "$reader" 2>/dev/null
wait "$reader" 2>/dev/null
echo "exited $status" 2>/dev/null

# The owner may still want to read the log, or to start another server on the same files.
while read -r number word <&3; do
    if [ "$word" = keep ]; then throw_away=; fi
    echo "$number gone" 2>/dev/null
done
if [ -n "$throw_away" ]; then rm -rf -- "$throw_away"; fi
