package drill

import (
	"context"
	"os"
	"path/filepath"

	"skep/internal/drill/attack"
	"skep/internal/drill/report"
	"skep/internal/hypervisor"
	"skep/internal/tool"
)

// tpm drills the guest's TPM, which a guest speaks with by way of its hypervisor.
func (d *drill) tpm(ctx context.Context, r *report.Report) error {
	if d.harness.TPM == nil {
		return nil
	}
	enter := func(ctx context.Context, _ attack.Attempt) (*attack.Fixture, error) { return d.inTPM(ctx) }
	return d.service(ctx, r, report.SceneTPM, attack.TpmAttempts(), enter)
}

// inTPM puts an attacker into the jail of a TPM, with a scratch file as its state. That is open as one that swtpm has opened.
func (d *drill) inTPM(ctx context.Context) (*attack.Fixture, error) {
	state, err := os.OpenFile(filepath.Join(d.bait.Dir, attack.TpmState), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	ours, peer, err := commandPair()
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	spec, err := d.harness.TPM(peer, state)
	if err != nil {
		ours.Close()
		return nil, err
	}
	spec.Handed = nil
	return d.inPlace(ctx, spec, []tool.File{{Name: hypervisor.FDTPM, File: peer}, {Name: attack.TpmState, File: state}}, &attack.Fixture{Card: ours})
}
