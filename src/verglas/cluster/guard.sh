# One exit marker in the job folder, whatever ends the job, and the reason in run.err. The template then uses:
#   start_scheduler   a dask scheduler; workers find it through scheduler.json in the job folder
#   needs PROCESS     the job is ended when this process (of the workers) ends
#   run COMMAND       the job itself
#   fail REASON       give up
output={output}
reason= asked= code=1 job= helpers=
grace=25  # s between the wish to stop and the end; queues kill after 30

stop() {  # the job stops cleanly when it finds this file; where it is already, the user wants the job to stop
  [ -z "$reason" ] || return
  [ ! -e "$output/RELION_JOB_ABORT_NOW" ] || asked=yes
  reason=$1 until=$((SECONDS + grace))
  touch "$output/RELION_JOB_ABORT_NOW"
}

fail() { reason=${reason:-$1}; exit 1; }

alive() { kill -0 "$1" 2>/dev/null; }

needs() { helpers="$helpers $1"; }

start_scheduler() {  # only who has this key can talk to the scheduler, which executes what it is told
  local keys="$output/.keys" part
  rm -rf "$keys" "$output/scheduler.json"
  (umask 077 && mkdir "$keys" && openssl req -x509 -newkey rsa:2048 -nodes -days 400 -subj /CN=verglas \
    -keyout "$keys/key.pem" -out "$keys/certificate.pem") 2>/dev/null || fail "openssl could not make a key for the workers"
  export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=True DASK_DISTRIBUTED__COMM__TLS__CA_FILE="$keys/certificate.pem"
  for part in SCHEDULER WORKER CLIENT; do
    export "DASK_DISTRIBUTED__COMM__TLS__${part}__KEY=$keys/key.pem" "DASK_DISTRIBUTED__COMM__TLS__${part}__CERT=$keys/certificate.pem"
  done
  export DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=2 DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION=1.0
  export DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES='[]' DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'  # their web pages would be open to all
  {python} -m dask scheduler --scheduler-file "$output/scheduler.json" --protocol tls --port 0 --no-dashboard --dashboard-address :0 &
  needs $!
  local first=$SECONDS
  until [ -s "$output/scheduler.json" ]; do
    alive $! || fail "the dask scheduler did not start; see queue.log"
    [ $((SECONDS - first)) -lt 300 ] || fail "the dask scheduler did not start within 300 s"
    sleep 0.5
  done
}

run() {
  "$@" &
  job=$!
  while alive "$job"; do
    sleep 1 &
    wait $!
    for one in $helpers; do
      alive "$one" || stop "the workers ended before the job; see queue.log, and continue it"
    done
    [ -z "$until" ] || [ "$SECONDS" -lt "$until" ] || kill -KILL "$job" 2>/dev/null
  done
  wait "$job"
  code=$?
  exit $code
}

finish() {
  trap '' TERM USR1 USR2
  for one in $job $helpers; do kill -TERM "$one" 2>/dev/null; done
  rm -rf "$output/.keys" "$output/scheduler.json"
  if [ -e "$output/RELION_JOB_EXIT_SUCCESS" ]; then
    reason=
  elif [ -n "$asked" ] && [ ! -e "$output/RELION_JOB_EXIT_FAILURE" ]; then
    reason= code=130
    touch "$output/RELION_JOB_EXIT_ABORTED"
  elif [ -z "$reason" ] && [ ! -e "$output/RELION_JOB_EXIT_FAILURE" ] && [ ! -e "$output/RELION_JOB_EXIT_ABORTED" ]; then
    reason="the job ended with exit code $code and left no reason$([ $code -eq 137 ] && echo ' (killed, often for want of memory)'); end of queue.log:
$(tail -n 5 "$output/queue.log" 2>/dev/null)"
  fi
  if [ -n "$reason" ]; then
    rm -f "$output/RELION_JOB_EXIT_ABORTED"
    echo "error: $reason" | tee -a "$output/run.err" >&2
    touch "$output/RELION_JOB_EXIT_FAILURE"
    [ $code -ne 0 ] || code=1
  fi
  rm -f "$output/RELION_JOB_ABORT_NOW"
  exit $code
}

until=
trap 'stop "the queue ended the job (cancelled, preempted, or the machine went down); continue it"' TERM USR2
trap 'stop "the time limit of the queue is near; ask for more time, and continue it"' USR1
trap finish EXIT
cd {project} || fail "the project folder is not there on $(hostname)"
