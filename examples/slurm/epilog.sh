#!/bin/sh
# Epilog= and Prolog= of slurm.conf(5). It ends what a job has left, whatever killed its skep, and adopts nothing.
# Cells of an ordinary user are in that user's own directories, so the user sweeps them.
if [ "${SLURM_JOB_UID:-0}" = 0 ]; then
	exec skep sweep --job "$SLURM_JOB_ID"
fi
exec runuser -u "$SLURM_JOB_USER" -- skep sweep --job "$SLURM_JOB_ID"
