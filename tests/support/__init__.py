"""What tests share: servers, processes, pictures, published versions."""
