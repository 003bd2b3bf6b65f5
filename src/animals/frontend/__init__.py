"""The web page: people upload pictures, read predictions and give feedback on them."""
