# Needs: nothing.

cell "hello" {} # the built-in guest: no disk, no network, no download
