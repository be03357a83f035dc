// Package order puts things behind those that they come after.
package order

import "slices"

// Sort puts each name behind those that it comes after, so that the few
// that are started at once never wait for one that has no turn yet. What leads
// round in a cycle is taken out of after and returned.
func Sort(names []string, after map[string][]string) (order []string, cycles [][]string) {
	const walking, walked = 1, 2
	state := map[string]int{}
	for _, n := range names {
		state[n] = 0
	}
	var path []string
	var visit func(string)
	visit = func(n string) {
		state[n] = walking
		path = append(path, n)
		var kept []string
		for _, first := range after[n] {
			s, among := state[first]
			switch {
			case !among:
			case s == walking:
				cycles = append(cycles, slices.Clone(path[slices.Index(path, first):]))
			default:
				kept = append(kept, first)
				if s == 0 {
					visit(first)
				}
			}
		}
		after[n] = kept
		path = path[:len(path)-1]
		state[n] = walked
		order = append(order, n)
	}
	for _, n := range names {
		if state[n] == 0 {
			visit(n)
		}
	}
	return order, cycles
}

// Reversed turns an order round.
func Reversed(after map[string][]string) map[string][]string {
	before := map[string][]string{}
	for name, firsts := range after {
		for _, first := range firsts {
			if !slices.Contains(before[first], name) {
				before[first] = append(before[first], name)
			}
		}
	}
	return before
}
