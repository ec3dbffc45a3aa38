/* Returns the parameters of the current call, as the host gave them. */
#include "marine.h"

typedef struct MARINE_PACKED {
    marine_string peer_pk, service_id, function_name, lens;
} security_tetraplet;

MARINE_VECTOR(tetraplets, security_tetraplet *)
MARINE_VECTOR(argument_tetraplets, tetraplets)

typedef struct MARINE_PACKED {
    marine_string id, init_peer_id;
    uint64_t timestamp;
    uint32_t ttl;
    marine_string script;
    marine_bytes signature;
    marine_string token;
} particle_parameters;

typedef struct MARINE_PACKED {
    particle_parameters *particle;
    marine_string service_id, service_creator_peer_id, host_id, worker_id;
    argument_tetraplets tetraplets;
} call_parameters_record;

MARINE_IMPORT(MARINE_HOST_API, "get_call_parameters") void get_call_parameters(void);

static void visit_tetraplet(security_tetraplet *tetraplet, marine_visitor *visit) {
    visit(tetraplet->peer_pk.data);
    visit(tetraplet->service_id.data);
    visit(tetraplet->function_name.data);
    visit(tetraplet->lens.data);
    visit(tetraplet);
}

static void visit_particle(particle_parameters *particle, marine_visitor *visit) {
    visit(particle->id.data);
    visit(particle->init_peer_id.data);
    visit(particle->script.data);
    visit(particle->signature.data);
    visit(particle->token.data);
    visit(particle);
}

static void visit_parameters(call_parameters_record *parameters, marine_visitor *visit) {
    visit_particle(parameters->particle, visit);
    visit(parameters->service_id.data);
    visit(parameters->service_creator_peer_id.data);
    visit(parameters->host_id.data);
    visit(parameters->worker_id.data);
    for (uint32_t i = 0; i < parameters->tetraplets.count; i++) {
        tetraplets argument = parameters->tetraplets.data[i];
        for (uint32_t j = 0; j < argument.count; j++) visit_tetraplet(argument.data[j], visit);
        visit(argument.data);
    }
    visit(parameters->tetraplets.data);
    visit(parameters);
}

void MARINE_EXPORT(call_parameters)(void) {
    get_call_parameters();
    call_parameters_record *parameters = marine_record_result();
    visit_parameters(parameters, marine_park);
    marine_return_record(parameters);
}
