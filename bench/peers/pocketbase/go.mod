module peer

go 1.25.0

require github.com/pocketbase/pocketbase v0.36.8
