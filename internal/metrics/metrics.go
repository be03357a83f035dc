// Package metrics counts what Prometheus reads of the cells of a host. It looks at no machine: it is shown lists of
// cells, sees what has changed between two of them, and writes the text format.
package metrics

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// A Cell is one cell at one moment.
type Cell struct {
	Name    string
	State   string
	Life    uint64        // tells one life of its hypervisor from another; 0 where none runs
	Started time.Duration // how long the start of this life took; 0 where that is not known
	Ended   string        // how its last life ended, for a cell that does not run
	Refused uint64        // system calls
	Use     *Use
}

// Use is what a running cell uses.
type Use struct {
	CPU                    float64
	Memory                 int64
	Read, Written, In, Out int64
}

// Verdict is what an audit came to.
type Verdict struct {
	OK   bool
	Rows map[string]int // by verdict
	At   time.Time
}

// states are those that a cell can be in.
var states = []string{"stopped", "starting", "running", "paused", "stopping", "crashed", "held", "unknown"}

// Metrics is what is counted.
type Metrics struct {
	mu       sync.Mutex
	cells    []Cell
	lives    map[string]uint64
	seen     bool
	verdicts map[string]Verdict

	starts int
	ends   map[string]int
	took   []int // starts by bucket; the last are those that took longer
	total  time.Duration

	version string
}

// buckets are the bounds of the histogram of starts, in seconds.
var buckets = []float64{.05, .1, .2, .3, .5, .75, 1, 2, 5, 10, 30}

// New counts from now on.
func New(version string) *Metrics {
	return &Metrics{lives: map[string]uint64{}, verdicts: map[string]Verdict{}, ends: map[string]int{}, took: make([]int, len(buckets)+1), version: version}
}

// Saw takes a list of all cells, and counts what has changed since the last one.
func (m *Metrics) Saw(cells []Cell) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lives := map[string]uint64{}
	for _, c := range cells {
		was := m.lives[c.Name]
		if m.seen && was != 0 && c.Life != was {
			m.ends[reason(c.Ended)]++
		}
		if m.seen && c.Life != 0 && c.Life != was {
			m.starts++
			if c.Started > 0 {
				i, _ := slices.BinarySearch(buckets, c.Started.Seconds())
				m.took[i]++
				m.total += c.Started
			}
		}
		if c.Life != 0 {
			lives[c.Name] = c.Life
		} else {
			delete(m.verdicts, c.Name)
		}
	}
	m.cells, m.lives, m.seen = cells, lives, true
}

// reason is one word of a closed list, so that no guest makes series.
func reason(ended string) string {
	switch ended {
	case "power-off", "reset", "triple-fault", "halt", "panic", "internal-error", "hypervisor-crash", "not-started", "killed", "time-limit":
		return ended
	}
	return "not-seen"
}

// Audited takes what an audit came to.
func (m *Metrics) Audited(name string, v Verdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.verdicts[name] = v
}

// Due names at most so many running cells whose last audit is longest ago, and longer than that.
func (m *Metrics) Due(most int, since time.Duration, now time.Time) (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range most {
		next, oldest := "", now.Add(-since)
		for _, c := range m.cells {
			if at := m.verdicts[c.Name].At; c.State == "running" && !at.After(oldest) && !slices.Contains(names, c.Name) {
				next, oldest = c.Name, at
			}
		}
		if next == "" {
			break
		}
		names = append(names, next)
	}
	return names
}

// Text is all of it as Prometheus reads it.
func (m *Metrics) Text() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all families
	all.add("skep_build_info", "Which skep this is.", gauge, 1, "version", m.version)
	m.addCells(&all)
	m.addLives(&all)
	m.addVerdicts(&all)
	var out bytes.Buffer
	for _, f := range all {
		if _, err := expfmt.MetricFamilyToText(&out, f); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// families are metrics in the order in which they are first added.
type families []*dto.MetricFamily

const (
	counter = dto.MetricType_COUNTER
	gauge   = dto.MetricType_GAUGE
)

// add adds one value; labels are pairs.
func (all *families) add(name, help string, kind dto.MetricType, v float64, labels ...string) {
	m := all.metric(name, help, kind)
	for i := 0; i < len(labels); i += 2 {
		m.Label = append(m.Label, &dto.LabelPair{Name: &labels[i], Value: &labels[i+1]})
	}
	if kind == counter {
		m.Counter = &dto.Counter{Value: &v}
	} else {
		m.Gauge = &dto.Gauge{Value: &v}
	}
}

func (all *families) metric(name, help string, kind dto.MetricType) *dto.Metric {
	m := new(dto.Metric)
	for _, f := range *all {
		if f.GetName() == name {
			f.Metric = append(f.Metric, m)
			return m
		}
	}
	*all = append(*all, &dto.MetricFamily{Name: &name, Help: &help, Type: &kind, Metric: []*dto.Metric{m}})
	return m
}

func (m *Metrics) addLives(all *families) {
	all.add("skep_starts_total", "Lives of hypervisors that began since skep serve did.", counter, float64(m.starts))
	for _, r := range slices.Sorted(maps.Keys(m.ends)) {
		all.add("skep_ends_total", "Lives of hypervisors that ended since skep serve began, by how.", counter, float64(m.ends[r]), "reason", r)
	}
	h := &dto.Histogram{}
	var sum uint64
	for i := range buckets {
		sum += uint64(m.took[i])
		so := sum
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &buckets[i], CumulativeCount: &so})
	}
	sum += uint64(m.took[len(buckets)])
	total := m.total.Seconds()
	h.SampleCount, h.SampleSum = &sum, &total
	all.metric("skep_start_duration_seconds", "From the start of a cell's keeper until its guest runs.", dto.MetricType_HISTOGRAM).Histogram = h
}

func (m *Metrics) addCells(all *families) {
	count := map[string]int{}
	for _, cell := range m.cells {
		count[cell.State]++
	}
	for _, s := range states {
		all.add("skep_cells", "Cells by state.", gauge, float64(count[s]), "state", s)
	}
	for _, cell := range m.cells {
		running := 0.0
		if cell.State == "running" {
			running = 1
		}
		all.add("skep_cell_running", "1 where a cell is running.", gauge, running, "cell", cell.Name)
		if cell.Life == 0 {
			continue
		}
		all.add("skep_cell_refused_calls_total", "System calls that a hypervisor asked for and did not get.", counter, float64(cell.Refused), "cell", cell.Name)
		if u := cell.Use; u != nil {
			all.add("skep_cell_cpu_seconds_total", "Time of the processor that a cell's hypervisor has used.", counter, u.CPU, "cell", cell.Name)
			all.add("skep_cell_memory_bytes", "Memory of the host that a cell's hypervisor has, its guest's included.", gauge, float64(u.Memory), "cell", cell.Name)
			all.add("skep_cell_disk_read_bytes_total", "Read from disks of the host.", counter, float64(u.Read), "cell", cell.Name)
			all.add("skep_cell_disk_written_bytes_total", "Written to disks of the host.", counter, float64(u.Written), "cell", cell.Name)
			all.add("skep_cell_network_receive_bytes_total", "Received by a guest.", counter, float64(u.In), "cell", cell.Name)
			all.add("skep_cell_network_transmit_bytes_total", "Sent by a guest.", counter, float64(u.Out), "cell", cell.Name)
		}
	}
}

func (m *Metrics) addVerdicts(all *families) {
	for _, name := range slices.Sorted(maps.Keys(m.verdicts)) {
		v := m.verdicts[name]
		ok := 0.0
		if v.OK {
			ok = 1
		}
		all.add("skep_audit_passed", "1 where the last audit of a cell passed.", gauge, ok, "cell", name)
		all.add("skep_audit_timestamp_seconds", "When the last audit of a cell was.", gauge, float64(v.At.Unix()), "cell", name)
		for _, verdict := range slices.Sorted(maps.Keys(v.Rows)) {
			all.add("skep_audit_rows", "Rows of the last audit of a cell, by verdict.", gauge, float64(v.Rows[verdict]), "cell", name, "verdict", verdict)
		}
	}
}
