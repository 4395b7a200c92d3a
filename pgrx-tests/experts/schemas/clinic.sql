CREATE TABLE concepts (concept_id int PRIMARY KEY, name text);
CREATE TABLE providers (provider_id int PRIMARY KEY, name text);
CREATE TABLE patients (patient_id bigint PRIMARY KEY, born date);
CREATE TABLE visits (visit_id bigint PRIMARY KEY, patient_id bigint NOT NULL REFERENCES patients, provider_id int NOT NULL REFERENCES providers, visited_on date);
CREATE TABLE observations (observation_id bigint PRIMARY KEY, patient_id bigint NOT NULL REFERENCES patients, visit_id bigint REFERENCES visits,
	concept_id int NOT NULL REFERENCES concepts, value text);
CREATE TABLE prescriptions (prescription_id bigint PRIMARY KEY, visit_id bigint NOT NULL REFERENCES visits, concept_id int NOT NULL REFERENCES concepts, dose text);
