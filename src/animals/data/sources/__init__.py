"""Sources of pictures: archives, buckets, Kaggle, feedback, folders."""
