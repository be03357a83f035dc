package evidence

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Namespace is what a signature is for, as ssh-keygen -Y verify -n wants to hear it.
const Namespace = "skep-evidence"

const sigMagic = "SSHSIG"

// sigBlob is a signature, and sigData what is signed (PROTOCOL.sshsig of OpenSSH).
type sigBlob struct {
	Magic                       [6]byte
	Version                     uint32
	PublicKey                   string
	Namespace, Reserved, Hashed string
	Signature                   string
}

type sigData struct {
	Magic                       [6]byte
	Namespace, Reserved, Hashed string
	Hash                        string
}

// Signer makes signatures with a private key as ssh-keygen(1) writes it.
func Signer(key []byte) (func([]byte) ([]byte, error), error) {
	k, err := ssh.ParsePrivateKey(key)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, errors.New("it is locked by a passphrase")
	}
	if err != nil {
		return nil, errors.New("it is no private key of ssh-keygen's")
	}
	return func(message []byte) ([]byte, error) {
		sig, err := signWith(k, signed(message))
		if err != nil {
			return nil, err
		}
		blob := sigBlob{Version: 1, PublicKey: string(k.PublicKey().Marshal()), Namespace: Namespace, Hashed: "sha512", Signature: string(ssh.Marshal(sig))}
		copy(blob.Magic[:], sigMagic)
		return armor(ssh.Marshal(blob)), nil
	}, nil
}

// signWith has RSA sign with SHA-512: the older way is refused everywhere.
func signWith(k ssh.Signer, data []byte) (*ssh.Signature, error) {
	if a, ok := k.(ssh.AlgorithmSigner); ok && k.PublicKey().Type() == ssh.KeyAlgoRSA {
		return a.SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSASHA512)
	}
	return k.Sign(rand.Reader, data)
}

func signed(message []byte) []byte {
	sum := sha512.Sum512(message)
	d := sigData{Namespace: Namespace, Hashed: "sha512", Hash: string(sum[:])}
	copy(d.Magic[:], sigMagic)
	return ssh.Marshal(d)
}

// armor is the text form of a signature.
func armor(blob []byte) []byte {
	b := pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: blob})
	// ssh-keygen breaks lines after 70 characters and takes any length.
	return b
}

// checkSignature says which key has signed a message, or that none has.
func checkSignature(sig, message []byte) (key string, err error) {
	block, rest := pem.Decode(sig)
	if block == nil || block.Type != "SSH SIGNATURE" || len(rest) > 0 || !bytes.Equal(armor(block.Bytes), sig) {
		return "", errors.New("it is no signature as skep writes one")
	}
	var blob sigBlob
	if err := ssh.Unmarshal(block.Bytes, &blob); err != nil || string(blob.Magic[:]) != sigMagic || blob.Version != 1 {
		return "", errors.New("it is no signature")
	}
	if blob.Namespace != Namespace || blob.Hashed != "sha512" || blob.Reserved != "" {
		return "", fmt.Errorf("it is a signature for %.60q", blob.Namespace)
	}
	public, err := ssh.ParsePublicKey([]byte(blob.PublicKey))
	if err != nil {
		return "", errors.New("its key cannot be read")
	}
	var s ssh.Signature
	if err := ssh.Unmarshal([]byte(blob.Signature), &s); err != nil {
		return "", errors.New("it is no signature")
	}
	if err := public.Verify(signed(message), &s); err != nil {
		return "", errors.New("it is not a signature of this manifest")
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))), nil
}
