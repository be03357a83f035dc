#!/bin/sh
# HealthCheckProgram= of slurm.conf(5): a node on which no cell could run gets no more jobs.
if ! why=$(skep doctor --node 2>&1); then
	scontrol update nodename="$SLURMD_NODENAME" state=drain reason="skep: $(echo "$why" | head -n 1)"
fi
