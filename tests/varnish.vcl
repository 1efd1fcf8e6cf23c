# What the benchmarks run varnish with, beside parameters on its command line: everything comes from
# memory once it has been asked for. BACKEND and BEHIND are replaced by
# address and port of an nginx.
vcl 4.1;

backend files {
    .host = "BACKEND";
    .port = "BEHIND";
}

sub vcl_recv {
    if (req.url == "/old") {
        return (synth(301));
    }
    if (req.url == "/healthz") {
        return (synth(200));
    }
    return (hash);
}

sub vcl_backend_response {
    set beresp.ttl = 1d;
    set beresp.do_gzip = false;
    return (deliver);
}

sub vcl_synth {
    if (resp.status == 301) {
        set resp.http.Location = "/small";
        set resp.body = "";
    } else {
        set resp.http.Content-Type = "text/plain";
        set resp.body = {"ok
"};
    }
    return (deliver);
}
