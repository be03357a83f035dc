// Package browser tests the page of skep serve as people use it: in a browser, with real cells. With -update it
// writes the pictures of the README anew.
package browser
