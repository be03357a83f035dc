// Package netjob is what the processes of a guest's network are told and handed by the keeper that starts them:
// a sinkhole, a network that leads to what is allowed, a capture. It is apart from them, as no keeper needs
// the packages that they are made of.
package netjob

// Sinkhole is what a sinkhole is told once it is in its jail.
type Sinkhole struct {
	NIC  string            `json:"nic"`
	Host string            `json:"host"`          // the guest's name
	DNS  map[string]string `json:"dns,omitempty"` // answers of the cell file
	// Answers are the files that are answered with, by what they answer; see AnswerFile.
	Answers []string `json:"answers,omitempty"`
	LogMax  int64    `json:"log_max"`
	Memory  int64    `json:"memory"`
	// CaptureMax is how large each of the two files of a capture may become; 0 is none.
	CaptureMax int64 `json:"capture_max,omitempty"`
	// CA and CAKey are the authority's, as PEM: of certificates for whatever name is asked for.
	CA    string `json:"ca,omitempty"`
	CAKey string `json:"ca_key,omitempty"`
	// Frames is the size of the kernel's buffer where the card is bpf(4) on its tap; 0 where it is a connection to QEMU.
	Frames int `json:"frames,omitempty"`
}

// User is what a network is told that leads to what is allowed.
type User struct {
	NIC        string `json:"nic"`
	Host       string `json:"host"`
	LogMax     int64  `json:"log_max"`
	CaptureMax int64  `json:"capture_max,omitempty"`
	Memory     int64  `json:"memory"`
	Frames     int    `json:"frames,omitempty"` // as of Sinkhole
}

// Segment is what a switch is told.
type Segment struct {
	NIC        string `json:"nic"`
	Host       string `json:"host"`
	LogMax     int64  `json:"log_max"`
	CaptureMax int64  `json:"capture_max,omitempty"`
	Memory     int64  `json:"memory"`
}

// Capture is what a capture on a tap is told. Its files are the socket and the two that it writes.
type Capture struct {
	Cell string `json:"cell"`
	NIC  string `json:"nic"`
	Most int64  `json:"most"` // of each of the two
	// Frames is as of Sinkhole. A tap's frames come by two descriptors then, one of each direction.
	Frames int `json:"frames,omitempty"`
}

// Files are what they are handed, by name. An answer is AnswerFile of what it answers.
const (
	FileNIC       = "nic"
	FileUntil     = "until" // it ends when that hangs up, beside bpf(4)
	FileLog       = "log"
	FileLogThen   = "log-then"
	FileBroker    = "broker"
	FileJoin      = "join"  // where others on a segment connect
	FilePeer      = "peer-" // begins the name of a connection to another
	CaptureSocket = "socket"
	CaptureOut    = "frames-out" // what the guest sends, by bpf(4)
	CaptureIn     = "frames-in"  // what it is sent
	CaptureOne    = "capture-0"
	CaptureTwo    = "capture-1"
)

// AnswerFile names the file of an answer.
func AnswerFile(of string) string { return "answer-" + of }

// MostSockets of the host's are open at a time for a network that leads to what is allowed.
const MostSockets = 512

// MostPeers is how many others there may be on a segment.
const MostPeers = 63
