#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --output=queue.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --ntasks={tasks}
#SBATCH --cpus-per-task={cpus}
#SBATCH --gpus={gpus}
#SBATCH --mem={memory_gb}G
#SBATCH --time={time}
#SBATCH --partition={queue}
#SBATCH --signal=B:USR1@60
#SBATCH {extra}
{guard}

if [ {tasks} -eq 1 ]; then
  run {command}
else  # one torchrun on each machine, which starts the processes there and gives each its GPU
  nodes=$SLURM_JOB_NUM_NODES
  each=$(({tasks} / nodes))
  [ $((each * nodes)) -eq {tasks} ] || fail "the processes do not divide evenly over $nodes machines: give --extra=--ntasks-per-node=N"
  run srun --ntasks="$nodes" --ntasks-per-node=1 --cpus-per-task=$((each * {cpus})) --kill-on-bad-exit=1 \
    {python} -m torch.distributed.run --nnodes="$nodes" --nproc-per-node="$each" --rdzv-backend=c10d --rdzv-id="$SLURM_JOB_ID" \
    --rdzv-endpoint="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):$((20000 + SLURM_JOB_ID % 10000))" --no-python {command}
fi
