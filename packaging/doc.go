// Command packaging makes skep's packages of the binaries that scripts/packages has built: deb, rpm and apk
// for Linux, and the archive that pkg-add(8) takes on FreeBSD. The same commit and SOURCE_DATE_EPOCH give
// the same files, bit for bit.
//
// It is a module of its own, so that what makes packages is not among what skep itself needs.
package main
