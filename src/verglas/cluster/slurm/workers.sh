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

gpus={gpus}
start_scheduler
srun --ntasks={tasks} --cpus-per-task={cpus} ${gpus:+--gpus-per-task=1} --kill-on-bad-exit=0 --wait=0 {worker} &
needs $!
run {command}
