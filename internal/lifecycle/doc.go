// Package lifecycle is the life of a cell as a state machine: what a keeper does next, given what has
// happened. It is pure. It reads no clock and touches nothing; [Next] takes a state and an event and
// returns the state after it and the actions that the keeper is to carry out, in order.
//
//	              begin                   started
//	stopped ───────────────▶ starting ───────────────▶ running ◀──────────┐
//	   ▲  │                   │ │   ▲                   │ │  │ reset      │ reset-done
//	   │  └─ adopt ──▶────────┘ │   │ pause is over     │ │  └────────▶ resetting
//	   │       cannot start, or │   │                   │ │ stop, kill      │ reset-failed
//	   │       is given up      │  crashed              │ ▼                 │
//	   │                        │   ▲                   │ stopping ◀────────┘
//	   │                        ▼   │                   │ │ ended, or is not seen to end
//	   ├─────────────────── releasing ◀─────────────────┘ │
//	   │  over for good       ▲   │                 ended │
//	   │                      └───┼───────────────────────┘
//	   │                          ▼ ended, reset or failed to start too often
//	   └─ (skep up)              held
//
// starting: resources are being acquired, each written to the journal first. What cannot be acquired
// ends in releasing.
//
// running: the guest executes.
//
// resetting: the guest has reset itself and is being started over, in the same jail. Each reset counts
// against the restart budget, so that a guest that resets in a loop ends in held and not in a spin.
//
// paused: out of running and back, and not drawn: the host could not write or read a disk, and QEMU has
// paused the guest. It is let go on every two seconds. Or somebody has it stand still for a while, to copy
// a disk; it goes on when the last of those is done or has hung up. Or `skep pause` has asked for it; then
// `skep resume` has it go on, or a stop does, because a guest that stands still hears no power button.
//
// stopping: the ACPI power button was pressed, and is pressed again every few seconds; after
// stop_timeout the hypervisor is killed. One that was killed is waited for here.
//
// releasing: what the life had acquired is being released. What follows is decided at its end.
//
// crashed: nothing is held, and the cell is started again after a pause that doubles each time. A start
// that fails then, or while the host boots, counts as one more: what it lacks, such as a bridge, may
// exist a moment later.
//
// The time limit of a cell is a stop that the cell asks for itself, wherever it is.
//
// held: it crashed, reset or failed to start too often. The reason is kept; `skep up` clears it.
//
// Resetting and releasing are not published: others see what was published before.
//
// # Edges
//
// Every edge of the machine, as its test visits it. An event that is not listed for a state leaves
// everything as it is, but a command is always answered.
//
//	from       event         to
//	stopped    begin         starting
//	stopped    adopt         starting
//	starting   started       running
//	starting   started       paused      adopted, and paused by command as it was
//	starting   started       stopping    a stop was asked for meanwhile
//	starting   stop-asked    starting    the keeper gives the start up at the next resource
//	starting   kill-asked    starting
//	starting   asked         starting
//	starting   given-up      releasing
//	starting   start-failed  releasing
//	running    asked         running
//	running    guest-reset   resetting
//	running    guest-reset   stopping    once too often: killed
//	running    disk-failed   running     the guest was told and goes on
//	running    disk-failed   paused
//	running    pause-asked   paused
//	running    pause-done    running     it is not paused
//	running    stop-asked    stopping
//	running    kill-asked    stopping
//	running    time-limit    stopping
//	running    cancelled     stopping
//	running    ended         releasing
//	paused     asked         paused
//	paused     disk-failed   paused
//	paused     pause-asked   paused      by one more
//	paused     pause-done    paused      others still have it paused
//	paused     pause-done    running
//	paused     pause-failed  running
//	paused     retry         paused
//	paused     resumed       paused
//	paused     resume-failed paused
//	paused     calm          running
//	paused     guest-reset   resetting
//	paused     guest-reset   stopping    once too often: killed
//	paused     stop-asked    stopping
//	paused     kill-asked    stopping
//	paused     time-limit    stopping
//	paused     cancelled     stopping
//	paused     ended         releasing
//	resetting  stop-asked    resetting   the provisioner sees it
//	resetting  kill-asked    resetting
//	resetting  reset-done    running
//	resetting  reset-done    paused
//	resetting  reset-done    stopping    it was stopping before, or a stop was asked for meanwhile
//	resetting  reset-failed  stopping
//	stopping   asked         stopping
//	stopping   stop-asked    stopping
//	stopping   kill-asked    stopping
//	stopping   cancelled     stopping
//	stopping   press-again   stopping
//	stopping   force         stopping    killed
//	stopping   pause-asked   stopping    refused
//	stopping   pause-done    stopping
//	stopping   disk-failed   stopping
//	stopping   retry         stopping
//	stopping   resumed       stopping
//	stopping   resume-failed stopping
//	stopping   calm          stopping
//	stopping   guest-reset   resetting
//	stopping   guest-reset   stopping    once too often: killed
//	stopping   drained       releasing   killed, and not seen to end
//	stopping   ended         releasing
//	releasing  asked         releasing
//	releasing  stop-asked    releasing
//	releasing  kill-asked    releasing
//	releasing  released      stopped
//	releasing  released      held
//	releasing  released      crashed
//	releasing  released      starting    at once, with emulation in place of KVM
//	crashed    asked         crashed
//	crashed    pause-over    starting
//	crashed    stop-asked    stopped
//	crashed    kill-asked    stopped
//	crashed    time-limit    stopped
//	crashed    cancelled     stopped
package lifecycle
