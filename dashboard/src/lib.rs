//! Who looks: the HTTP API, the live stream, the web page.
