"""The web page: pictures in, answers out, and what people say about them back to the backend."""
