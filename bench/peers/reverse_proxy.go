// Go's httputil.ReverseProxy with a transport that checks a pin.
//
//	reverse_proxy PORT UPSTREAM CA PIN SOURCE
//
// PIN is the SHA-256 of the leaf's SubjectPublicKeyInfo in base64; it comes on top of the chain's
// verification, and is matched against the chains that were verified.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

func main() {
	port, upstream, caFile, pin, source := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	pem, err := os.ReadFile(caFile)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	target, _ := url.Parse("https://api.test:" + upstream)
	dialer := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, "127.0.0.1:"+upstream)
		},
		TLSClientConfig: &tls.Config{
			RootCAs: roots, ServerName: "api.test", MinVersion: tls.VersionTLS13,
			VerifyConnection: func(state tls.ConnectionState) error {
				for _, chain := range state.VerifiedChains {
					for _, certificate := range chain {
						sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
						if base64.StdEncoding.EncodeToString(sum[:]) == pin {
							return nil
						}
					}
				}
				return errors.New("no certificate of the chain has the pin")
			},
		},
		MaxIdleConns: 1024, MaxIdleConnsPerHost: 256, IdleConnTimeout: 60 * time.Second,
		DisableCompression: true,
	}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // it tells of each client that hangs up
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(target)
			request.Out.Host = "api.test"
		},
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, proxy))
}
