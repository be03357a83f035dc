cell "wide" {
	cpus	=	0
	disk "d" {	file = "a,b" } # tabs
  share "日本語" { path = "/srv" } # wide
  hypervisor { args = ["é 日本 🐝", "日本", ""] }
}
