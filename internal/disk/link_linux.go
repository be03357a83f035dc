package disk

// isLinkError: Linux answers ELOOP to O_NOFOLLOW on a symbolic link, open(2).
func isLinkError(error) bool { return false }
