//go:build !linux && !freebsd

package usage

import "errors"

func ofProcess(int) (Use, error) { return Use{}, errors.ErrUnsupported }

func ofTap(string) (in, out int64) { return 0, 0 }
