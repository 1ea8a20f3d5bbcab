"""What watches Millrace: dashboards, rules, and their documentation."""
