package host

import "context"

func probe(context.Context, Options, *Facts) error { return nil }
