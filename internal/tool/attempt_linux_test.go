package tool

func attempt(in Inside) error { return nil }
