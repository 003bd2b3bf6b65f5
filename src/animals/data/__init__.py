"""From a folder of label folders to decoded pictures, each in one split."""
