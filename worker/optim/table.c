#include "optim.h"

const struct opt_desc *const opt_table[] = { &opt_adamw,         &opt_adam,     &opt_adam_mini, &opt_adalayer, &opt_adafactor,
                                             &opt_schedule_free, &opt_lion,     &opt_sgd,       &opt_signum,   &opt_lamb,
                                             &opt_lars,          &opt_ademamix, &opt_mars,      &opt_sophia,   &opt_muon,
                                             &opt_soap,          &opt_shampoo,  &opt_galore,    &opt_apollo,   NULL };
