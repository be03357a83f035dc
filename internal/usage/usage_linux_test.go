package usage

import (
	"os"
	"testing"
	"time"
)

func TestOfThisProcess(t *testing.T) {
	before, err := Of(os.Getpid(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if before.Memory < 1<<20 {
		t.Errorf("%d bytes of memory", before.Memory)
	}
	for began := time.Now(); time.Since(began) < time.Minute; {
		if after, err := Of(os.Getpid(), []string{"lo"}); err != nil || after.CPU > before.CPU {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Error("a minute of work is none of the processor's")
}

func TestNobody(t *testing.T) {
	if _, err := Of(1<<30, nil); err == nil {
		t.Error("a process that is not there uses something")
	}
}
