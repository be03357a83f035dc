package host

// probeLayers fills in which layers of the jail this host can have.
func probeLayers(f *Facts) { f.Linux.Layers = withFacts(nil, *f) }
