"""Model monitoring: reports on feedback, predictions and drift, and the decision to retrain."""
